import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // TensorFlow and GStreamer can be loaded once per process, so each test file gets a process of its own.
    pool: 'forks',
    // Two at a time: they run whole programs in real time and mostly wait, on as few as two cores.
    maxWorkers: 2,
    testTimeout: 180_000,
    hookTimeout: 180_000,
    expect: { poll: { timeout: 10_000 } },
  },
})
