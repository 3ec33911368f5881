// JSON schemas as a person reads them: a type in one line, a list of fields, an example.
// Pure: a document and a schema in, plain values out; the page draws them. What always
// holds: it ends, also for schemas that contain themselves.

const DEPTH_MAX = 6;
const EXAMPLES = {
  "date-time": "2026-11-20T10:00:00.000Z",
  date: "2026-11-20",
  email: "ada@example.com",
  uri: "https://example.com/",
  uuid: "0195f3c0-0000-7000-8000-000000000000",
};

/** Follows references; a nullable choice of one thing is that thing. */
export function resolve(document, schema = {}) {
  let found = schema;
  for (let n = 0; n < 20 && found?.$ref; n += 1) {
    found = found.$ref
      .replace(/^#\//, "")
      .split("/")
      .reduce((node, key) => node?.[key.replaceAll("~1", "/").replaceAll("~0", "~")], document);
  }
  const choices = found?.oneOf ?? found?.anyOf;
  if (choices) {
    const real = choices.filter((choice) => choice.type !== "null");
    if (real.length === 1) {
      return { description: found.description, ...resolve(document, real[0]), nullable: true };
    }
  }
  if (found?.allOf) {
    return found.allOf.map((part) => resolve(document, part)).reduce(
      (all, part) => ({
        ...all,
        ...part,
        properties: { ...all.properties, ...part.properties },
        required: [...(all.required ?? []), ...(part.required ?? [])],
      }),
      { ...found, allOf: undefined },
    );
  }
  return found ?? {};
}

const refName = (schema) => schema?.$ref?.split("/").at(-1);

/** `string (date-time)`, `list of Product`; `words` are the page's for list and choice. */
export function typeName(document, schema, words) {
  const found = resolve(document, schema);
  const types = [found.type].flat().filter((type) => type && type !== "null");
  if (types.includes("array")) return words.array(typeName(document, found.items ?? {}, words));
  const name = refName(schema) ?? nullableRef(schema);
  if (name && (types.includes("object") || found.properties)) return name;
  const choices = found.oneOf ?? found.anyOf;
  if (choices) return choices.map((choice) => typeName(document, choice, words)).join(" | ");
  const type = types.join(" | ") || (found.properties ? "object" : "any");
  return found.format ? `${type} (${found.format})` : type;
}

function nullableRef(schema) {
  return (schema?.oneOf ?? schema?.anyOf ?? []).map(refName).find(Boolean);
}

/** Bounds and choices in a compact, language-free form: `1 … 100`, `"reject" "wait"`. */
export function limits(document, schema) {
  const found = resolve(document, schema);
  const said = [];
  if (found.enum) said.push(found.enum.filter((one) => one !== null).map((one) => JSON.stringify(one)).join(" "));
  if (found.const !== undefined) said.push(JSON.stringify(found.const));
  const low = found.minimum ?? found.minLength ?? found.minItems;
  const high = found.maximum ?? found.maxLength ?? found.maxItems;
  if (low !== undefined || high !== undefined) said.push(`${low ?? ""} … ${high ?? ""}`.trim());
  if (found.pattern) said.push(found.pattern);
  return said;
}

/** The fields of an object or of a list's items, nested ones with their path (`reorder.point`). */
export function fields(document, schema, words, prefix = "", seen = []) {
  const found = resolve(document, schema);
  if ([found.type].flat().includes("array")) {
    return fields(document, found.items ?? {}, words, prefix ? `${prefix}[]` : "[]", seen);
  }
  const name = refName(schema) ?? nullableRef(schema);
  if (!found.properties || seen.length >= DEPTH_MAX || (name && seen.includes(name))) return [];
  const path = name ? [...seen, name] : [...seen, ""];
  return Object.entries(found.properties).flatMap(([key, property]) => {
    const at = prefix ? `${prefix}.${key}` : key;
    const whole = resolve(document, property);
    const own = {
      path: at,
      type: typeName(document, property, words),
      required: (found.required ?? []).includes(key),
      description: property.description ?? whole.description ?? "",
      limits: limits(document, property),
      fallback: property.default ?? whole.default,
    };
    return [own, ...fields(document, property, words, at, path)];
  });
}

/** An example as given, or one made from the schema. */
export function example(document, media) {
  if (media.example !== undefined) return media.example;
  const [named] = Object.values(media.examples ?? {});
  if (named?.value !== undefined) return named.value;
  return media.schema ? make(document, media.schema, []) : undefined;
}

function make(document, schema, seen) {
  const name = refName(schema) ?? nullableRef(schema);
  const found = resolve(document, schema);
  if (found.example !== undefined) return found.example;
  if (found.examples?.length) return found.examples[0];
  if (found.const !== undefined) return found.const;
  if (found.default !== undefined && found.default !== null) return found.default;
  if (found.enum) return found.enum[0];
  const [choice] = found.oneOf ?? found.anyOf ?? [];
  if (choice) return make(document, choice, seen);
  if (seen.length >= DEPTH_MAX || (name && seen.includes(name))) return found.nullable ? null : {};
  const path = [...seen, name ?? ""];
  const type = [found.type].flat().find((one) => one && one !== "null");
  if (type === "array") return [make(document, found.items ?? {}, path)];
  if (type === "object" || found.properties) {
    return Object.fromEntries(
      Object.entries(found.properties ?? {}).map(([key, property]) => [key, make(document, property, path)]),
    );
  }
  if (type === "integer" || type === "number") return found.minimum ?? 1;
  if (type === "boolean") return false;
  return type === "string" ? (EXAMPLES[found.format] ?? "text") : null;
}
