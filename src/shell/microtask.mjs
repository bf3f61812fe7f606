// The platform's own goes to C++ and back each time, and Rust's futures are polled from one: a fifth of the
// processor time of a request that a rule answers.
const settled = Promise.resolve();

/** Runs a task when what runs now is done. */
export function queueMicrotask(task) {
  settled.then(task).catch(failed);
}

// As the generated code does with what the platform reports: after this the module is started anew. It wraps a
// trap in an error of its own, which it then does not know again.
export function failed(error) {
  const isTrap = [error, error?.cause].some((each) => each instanceof WebAssembly.RuntimeError);
  if (isTrap) globalThis.__worker_init_state.criticalError = true;
  console.error(error);
}
