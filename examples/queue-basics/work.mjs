// The work itself. It knows neither HTTP nor queues, so that both can do it.

/** `{ "input": 1 }` becomes 2; anything else is refused with a reason. */
export function plusOne(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    throw new TypeError("this is not JSON");
  }
  const { input, ...others } = value ?? {};
  if (!Number.isSafeInteger(input) || !Number.isSafeInteger(input + 1)) {
    throw new TypeError('"input" must be a whole number');
  }
  if (Object.keys(others).length > 0) throw new TypeError('there must be nothing but "input"');
  return input + 1;
}
