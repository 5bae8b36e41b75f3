import { expect, test } from 'vitest'
import { cpuPrecision, slowPrecision } from '../../deploy/native-precision.ts'

test.each([
  [
    'an x86-64 server with AVX512_BF16',
    'flags\t\t: fpu sse2 avx512f avx512_bf16 avx_vnni\n',
    { bfloat16: true, float16: false, int8: true },
  ],
  ['one with AMX', 'flags\t\t: fpu amx_bf16 amx_tile avx512_fp16\n', { bfloat16: true, float16: true, int8: false }],
  ['an older one', 'flags\t\t: fpu sse2 avx2 f16c\n', { bfloat16: false, float16: false, int8: false }],
  ['a Cortex-A78AE', 'Features\t: fp asimd evtstrm fphp asimdhp\n', { bfloat16: false, float16: true, int8: false }],
  ['a processor that says nothing', 'processor\t: 0\n', { bfloat16: false, float16: false, int8: false }],
])('%s computes in what its flags name', (_, cpuinfo, expected) => {
  expect(cpuPrecision(cpuinfo)).toEqual(expected)
})

test('a float32 bundle is never called slow', async () => {
  expect(await slowPrecision('float32', 'cpu')).toBeUndefined()
})
