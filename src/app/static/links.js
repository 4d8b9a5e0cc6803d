// Links: what counts as one, the one that the page's own address may bring, and a bookmark that makes such addresses.

const LONGEST = 2000;

export function isLink(text) {
  try {
    return /^https?:\/\/\S+$/i.test(text) && Boolean(new URL(text).hostname);
  } catch {
    return false;
  }
}

// The link in `?url=…`, or "" if that is none. Whoever made the address may mean no good, so it is only shown:
// nothing is fetched until the visitor asks for it.
export function linkIn(address) {
  const link = new URL(address).searchParams.get("url")?.trim() ?? "";
  return link.length <= LONGEST && isLink(link) ? link : "";
}

// A bookmark for other pages: it opens this page with the link of the largest picture there, or of the page itself.
// It runs over there; this page's own Content-Security-Policy lets no such address run here.
export function bookmarklet(address) {
  const here = new URL("./", address);
  here.search = here.hash = "";
  const script = `(() => {
    const pictures = [...document.images].filter((image) => /^https?:/i.test(image.currentSrc));
    const [largest] = pictures.sort((a, b) => b.width * b.height - a.width * a.height);
    const link = largest ? largest.currentSrc : location.href;
    window.open(${JSON.stringify(here.href)} + "?url=" + encodeURIComponent(link), "_blank", "noopener");
  })()`;
  return `javascript:${encodeURIComponent(script.replace(/\s+/g, " "))}`;
}
