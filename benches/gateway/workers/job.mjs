// The bare job, which every gateway here has to do besides its own work: read the failure, ask the
// model, hand out what it says.
const SYSTEM =
  "You are an expert in Python packaging. Read the log of a failed pip install and answer with the " +
  "commands that fix it, each in a fence of its own, or with UNCERTAIN when there are none.";
const MOST_CONTEXT = 16_384;

export async function analyse(request, env) {
  const { machine_id: machine, error_context: context } = await request.json();
  if (typeof context !== "string" || context === "") return { status: 400 };
  const upstream = await fetch(`${env.UPSTREAM}/chat/completions`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: `Bearer ${env.API_KEY}` },
    body: JSON.stringify({
      model: "deepseek-chat",
      messages: [
        { role: "system", content: SYSTEM },
        { role: "user", content: `The log:\n${context.slice(0, MOST_CONTEXT)}` },
      ],
      max_tokens: 150,
      temperature: 0,
    }),
  });
  if (!upstream.ok) return { status: 502 };
  const { choices, usage } = await upstream.json();
  return { status: 200, machine, context, suggestion: choices[0].message.content, usage };
}

export function reply({ status, suggestion = "UNCERTAIN" }) {
  return Response.json({ suggestion }, { status });
}
