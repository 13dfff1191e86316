// What a colour token is now, for a canvas, which knows neither custom properties nor light-dark().

/** Return the colour of a token such as "--down" where an element stands. */
export function colour(element, name) {
  const before = element.style.color;
  element.style.color = `var(${name})`;
  const found = getComputedStyle(element).color;
  element.style.color = before;
  return found;
}
