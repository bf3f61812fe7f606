// The platform's own goes to C++ and back each time, and Rust's futures are polled from one: a fifth of the
// processor time of a request that a rule answers.
const settled = Promise.resolve();

/** Runs a task when what runs now is done. */
export function queueMicrotask(task) {
  settled.then(task).catch(failed);
}

// As the generated code does with what the platform reports: after this the module is started anew.
function failed(error) {
  if (error instanceof WebAssembly.RuntimeError) globalThis.__worker_init_state.criticalError = true;
  console.error(error);
}
