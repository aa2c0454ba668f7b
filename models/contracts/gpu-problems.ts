/** Of training on GPUs: rows of the table in problem.ts. */
export const gpuProblems = {
  'UND-GPU-MISSING': {
    status: 503,
    exit: 7,
    retryable: false,
    title: 'There is no GPU that WebGPU can use',
    remedy:
      'Start a worker where there is one (UNDERSTUDY_ROLES=training-gpu): it needs the npm package webgpu and a driver with Vulkan, Metal or Direct3D 12; `understudy doctor` says what is found.',
  },
  'UND-GPU-LOST': {
    status: 503,
    exit: 7,
    retryable: true,
    title: 'The GPU was lost',
    remedy:
      'Its driver was reset, or the device taken away. Training is tried again from its last checkpoint; if it happens again and again, look at what the system says of the driver.',
  },
  'UND-GPU-MEMORY': {
    status: 422,
    exit: 4,
    retryable: false,
    title: 'Training does not fit into the memory of the GPU',
    remedy: 'Make the vectors or the window shorter, as the message says; take a larger GPU; or train on the CPU.',
  },
} as const;
