// The page's address: its fragment names the view and what the view shows, so that the browser's way back and
// a link passed on lead there.

/** The name of the view, and its parameters. */
export function address() {
  const [name, query] = location.hash.slice(1).split(/\?(.*)/s);
  return { name, parameters: new URLSearchParams(query) };
}

/** The fragment of a view; parameters that are empty are left out. */
export function fragment(name, parameters = {}) {
  const given = Object.entries(parameters).filter(([, value]) => value);
  const query = new URLSearchParams(given).toString();
  return `#${name}${query && `?${query}`}`;
}

/** The fragment of a machine's own view. */
export function ofMachine(id) {
  return fragment("machine", { id });
}
