// Runs in the page, by WebDriver, and returns what is wrong with its appearance as a list of sentences.
const problems = [];
const told = element => `${element.tagName.toLowerCase()}.${element.className} "${element.textContent.trim().slice(0, 40)}"`;

function channels(colour) {
  const [red, green, blue, alpha = 1] = colour.match(/[\d.]+/g).map(Number);
  return { red, green, blue, alpha };
}
function luminance({ red, green, blue }) {
  const linear = value => ((value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
}
function contrast(a, b) {
  const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (light + 0.05) / (dark + 0.05);
}
// What the element stands on: the nearest ground that is not transparent. Every ground of ours is solid or nothing.
function ground(element) {
  for (let at = element; at; at = at.parentElement) {
    const colour = channels(getComputedStyle(at).backgroundColor);
    if (colour.alpha === 1) return colour;
    if (colour.alpha !== 0) problems.push(`${told(at)}: a translucent ground`);
  }
  return { red: 255, green: 255, blue: 255, alpha: 1 };
}
function isShown(element) {
  const box = element.getBoundingClientRect();
  return element.checkVisibility({ visibilityProperty: true }) && box.width > 1 && box.height > 1;
}

const root = document.scrollingElement;
if (root.scrollWidth > window.innerWidth) {
  const widest = [...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > window.innerWidth + 0.5);
  problems.push(`${root.scrollWidth} px wide in a window of ${window.innerWidth}: ${widest.slice(0, 3).map(told)}`);
}

const readable = (element, pseudo, text) => {
  const style = getComputedStyle(element, pseudo);
  const ratio = contrast(channels(style.color), ground(element));
  if (ratio < 4.5) problems.push(`${told(element)}${pseudo ?? ""}: contrast ${ratio.toFixed(2)} of ${text}`);
  if (parseFloat(style.fontSize) < 12) problems.push(`${told(element)}: text of ${style.fontSize}`);
};
let texts = 0;
for (const element of document.querySelectorAll("body, body *")) {
  if (!isShown(element) || element.closest("svg")) continue;
  const own = [...element.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.textContent.trim() !== "");
  if (own || element.matches("input")) {
    texts += 1;
    readable(element, null, "text");
  }
  for (const pseudo of ["::before", "::after"]) {
    const content = getComputedStyle(element, pseudo).content;
    if (!["none", "normal", '""'].includes(content)) readable(element, pseudo, content);
  }
}
if (texts === 0) problems.push("there is no text");

// Links within a sentence are as high as the sentence (WCAG 2.2, 2.5.8 leaves them out).
for (const target of document.querySelectorAll("a[href], button, summary, input:not([type=hidden])")) {
  if (!isShown(target) || getComputedStyle(target).display === "inline") continue;
  const { width, height } = target.getBoundingClientRect();
  if (width < 44 || height < 44) problems.push(`${told(target)}: a target of ${Math.round(width)} x ${Math.round(height)} px`);
}
// A text that is cut off is a text that is not there.
for (const element of document.querySelectorAll("button, a, h1, h2, h3, p, dd, dt, code, label, td")) {
  if (isShown(element) && element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).display !== "inline") {
    problems.push(`${told(element)}: ${element.scrollWidth} px of content in ${element.clientWidth}`);
  }
}
return problems;
