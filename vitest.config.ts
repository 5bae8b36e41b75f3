import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    // TensorFlow and GStreamer can be loaded once per process, so each test file gets a process of its own.
    pool: 'forks',
    testTimeout: 180_000,
    hookTimeout: 180_000,
    expect: { poll: { timeout: 10_000 } },
    projects: [
      {
        extends: true,
        // They compute, whenever that is.
        test: { name: 'trainer', include: ['test/trainer/**/*.test.ts'], maxWorkers: 2, sequence: { groupOrder: 0 } },
      },
      {
        extends: true,
        // One at a time: they run whole programs in real time, on as few as two cores.
        test: {
          name: 'device',
          include: ['test/**/*.test.ts'],
          exclude: ['test/trainer/**'],
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
