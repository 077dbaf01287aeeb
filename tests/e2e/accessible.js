// What a script can find of WCAG 2.2, level AA, on a page; [] where nothing is wrong.
() => {
  const found = [];
  const all = (selector) => [...document.querySelectorAll(selector)];
  const shown = (element) => element.checkVisibility();
  const named = (element) =>
    (element.getAttribute("aria-label") || element.textContent || element.title || "").trim()
    || [...element.querySelectorAll("img[alt]")].some((img) => img.alt);

  if (!document.documentElement.lang) found.push("no language");
  if (!document.title) found.push("no title");
  if (all("h1").length !== 1) found.push(`${all("h1").length} first headings`);
  let level = 0;
  for (const heading of all("main h1, main h2, main h3").filter(shown)) {
    const own = Number(heading.tagName[1]);
    if (own > level + 1) found.push(`heading ${own} behind ${level}: ${heading.textContent}`);
    level = own;
  }
  const ids = all("[id]").map((element) => element.id);
  for (const id of new Set(ids)) if (ids.filter((one) => one === id).length > 1) found.push(`twice: #${id}`);
  for (const field of all("input:not([type=hidden]), select, textarea").filter(shown)) {
    if (field.closest("[aria-hidden=true]")) continue;
    if (!field.labels.length) found.push(`no label: ${field.name}`);
    const about = field.getAttribute("aria-describedby");
    if (about && !document.getElementById(about)) found.push(`described by nothing: ${field.name}`);
  }
  for (const element of all("a[href], button").filter(shown)) {
    if (!named(element)) found.push(`no name: ${element.outerHTML.slice(0, 80)}`);
  }
  for (const image of all("img, svg[role=img]")) {
    const said = image.hasAttribute("alt") || image.getAttribute("aria-label")
      || image.getAttribute("aria-labelledby");
    if (!said && !image.closest("[aria-hidden=true]")) found.push(`no text: ${image.outerHTML.slice(0, 80)}`);
  }
  for (const head of all("th:not([scope])")) found.push(`no scope: ${head.textContent}`);
  if (all("main").length !== 1 || !document.querySelector("a.skip[href='#main']")) found.push("no way to the content");

  // Contrast: https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio
  const colour = (text) => text.match(/[\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b]
    .map((part) => part / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, n) => sum + part * [0.2126, 0.7152, 0.0722][n], 0);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const [r, g, b, alpha = 1] = colour(getComputedStyle(at).backgroundColor);
      if (alpha > 0) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const poor = new Set();
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || element.closest("svg, option, .unseen, .skip") || !shown(element)) continue;
    const style = getComputedStyle(element);
    const [one, other] = [light(colour(style.color)), light(behind(element))];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    const large = parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 700;
    if (ratio < (large ? 3 : 4.5)) {
      poor.add(`${ratio.toFixed(2)} ${element.tagName}.${element.className}: ${walker.currentNode.data.trim().slice(0, 30)}`);
    }
  }
  return [...found, ...poor];
}
