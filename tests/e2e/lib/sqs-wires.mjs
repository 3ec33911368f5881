// SQS as bytes, over both of its protocols: a request, what it was answered, and whether it
// was answered at all. An SDK would repeat a request by itself and hide how often.
//
// Only what the suites ask for: a few actions on queues and messages, of which the answers hold
// nothing that would have to be unescaped.

const ANSWER_LIMIT_MS = 30_000;

export const AWS_JSON = {
  name: "AWS JSON",
  encode: (action, parameters) => ({
    headers: {
      "content-type": "application/x-amz-json-1.0",
      "x-amz-target": `AmazonSQS.${action}`,
    },
    body: JSON.stringify(parameters),
  }),
  decode: (text) => JSON.parse(text),
  code: (answer) => answer.headers.get("x-amzn-query-error")?.split(";")[0],
};

export const QUERY = {
  name: "query",
  encode(action, parameters) {
    const form = new URLSearchParams({ Action: action, Version: "2012-11-05" });
    for (const [name, value] of Object.entries(parameters)) {
      if (name === "Entries") {
        value.forEach((entry, at) => {
          for (const [key, part] of Object.entries(entry)) {
            form.set(`${action}RequestEntry.${at + 1}.${key}`, part);
          }
        });
      } else if (name === "AttributeNames") {
        value.forEach((attribute, at) => form.set(`AttributeName.${at + 1}`, attribute));
      } else if (name === "Attributes") {
        Object.entries(value).forEach(([key, part], at) => {
          form.set(`Attribute.${at + 1}.Name`, key);
          form.set(`Attribute.${at + 1}.Value`, part);
        });
      } else if (name === "Tags") {
        Object.entries(value).forEach(([key, part], at) => {
          form.set(`Tag.${at + 1}.Key`, key);
          form.set(`Tag.${at + 1}.Value`, part);
        });
      } else {
        form.set(name, value);
      }
    }
    return { body: form };
  },
  /** In the shape of the other protocol. */
  decode: (text) => ({
    ...fields(text),
    Attributes: attributes(text),
    Tags: Object.fromEntries(
      inside(text, "Tag")
        .map(fields)
        .map(({ Key, Value }) => [Key, Value]),
    ),
    Messages: inside(text, "Message").map((message) => ({
      ...fields(message),
      Attributes: attributes(message),
    })),
    Successful: inside(text, "\\w+ResultEntry").map(fields),
    Failed: inside(text, "BatchResultErrorEntry").map(fields),
  }),
  code: (_, text) => inside(text, "Code")[0],
};

/** Topics have the query protocol alone. */
export const SNS = {
  name: "query of SNS",
  encode: (action, parameters) => ({
    body: new URLSearchParams({ Action: action, Version: "2010-03-31", ...parameters }),
  }),
  decode: (text) => fields(text),
  code: QUERY.code,
};

const inside = (xml, tag) =>
  [...xml.matchAll(new RegExp(`<(${tag})>(.*?)</\\1>`, "gs"))].map((match) => match[2]);

/** The elements that hold text and nothing else. */
const fields = (xml) =>
  Object.fromEntries(
    [...xml.matchAll(/<(\w+)>([^<]*)<\/\1>/g)].map(([, name, text]) => [name, text]),
  );

const attributes = (xml) =>
  Object.fromEntries(
    inside(xml, "Attribute")
      .map(fields)
      .map(({ Name, Value }) => [Name, Value]),
  );

/** There was no answer. `reached`: it may have been done all the same. */
export class Lost extends Error {
  constructor(cause) {
    super("no answer", { cause });
    this.reached = cause.cause?.code !== "ECONNREFUSED";
  }
}

export class Refused extends Error {
  constructor(code, status, text) {
    super(`${status} ${code}: ${text}`);
    this.code = code;
  }
}

/** Asks once. Fails with `Lost` when there is no answer, with `Refused` when it is an error. */
export async function ask(endpoint, wire, action, parameters) {
  let answer;
  let text;
  try {
    const signal = AbortSignal.timeout(ANSWER_LIMIT_MS);
    const request = { method: "POST", signal, ...wire.encode(action, parameters) };
    answer = await fetch(endpoint, request);
    text = await answer.text();
  } catch (error) {
    // An answer that never comes is not one that was cut off: the suite fails with it.
    if (error.name === "TimeoutError") throw error;
    throw new Lost(error);
  }
  if (answer.status !== 200) throw new Refused(wire.code(answer, text), answer.status, text);
  return wire.decode(text);
}
