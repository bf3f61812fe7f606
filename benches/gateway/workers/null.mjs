// Answers every request alike and reads none: what any Worker costs at least.
export default {
  fetch() {
    return new Response("ok");
  },
};
