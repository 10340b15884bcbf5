"""Contrast of what a page shows, by WCAG 2.2, from its computed styles."""

# For each visible text: [words, ratio, whether it is large, colours]; for
# each visible control: the ratio of its edge, or of its surface, to what is
# around it. Colours that are not opaque are laid over what is behind them.
_MEASURE = """() => {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 1;
  const context = canvas.getContext('2d', {willReadFrequently: true});
  const parse = (text) => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = text;
    context.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, below) => [
    ...[0, 1, 2].map((i) => top[3] * top[i] + (1 - top[3]) * below[i]), 1];
  const behind = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement)
      layers.push(parse(getComputedStyle(e).backgroundColor));
    return layers.reverse().reduce(
      (below, top) => over(top, below), [255, 255, 255, 1]);
  };
  const luminance = (colour) => {
    const [r, g, b] = colour.slice(0, 3).map((c) => {
      c /= 255;
      return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a, b) => {
    const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  };
  const opacity = (element) => {
    let all = 1;
    for (let e = element; e; e = e.parentElement)
      all *= parseFloat(getComputedStyle(e).opacity);
    return all;
  };
  const isSeen = (element) => element.checkVisibility({
    opacityProperty: true, visibilityProperty: true});
  const texts = [], controls = [];
  for (const element of document.body.querySelectorAll('*')) {
    if (!isSeen(element)) continue;
    const box = element.getBoundingClientRect();
    if (box.width < 2 || box.height < 2) continue;
    const style = getComputedStyle(element);
    const isField = element.matches('input, textarea');
    const own = [...element.childNodes].filter(
      (n) => n.nodeType === Node.TEXT_NODE && n.textContent.trim());
    const words = isField && element.matches('[type=text], [type=number], '
      + ':not([type])') ? [element.value || element.placeholder] : own.map(
      (n) => n.textContent.trim());
    const size = parseFloat(style.fontSize);
    if (words.join('') && !element.matches('script, style, option')) {
      const below = behind(element);
      const colour = parse(style.color);
      colour[3] *= opacity(element);
      texts.push([words.join(' ').slice(0, 60), ratio(over(colour, below),
        below), size >= 24 || (size >= 18.66 && style.fontWeight >= 700),
        `${style.color} on ${below}`]);
    }
    // A button with words on it is known by these.
    if (element.matches('input, textarea, button')
        && element.type !== 'file' && element.tabIndex >= 0
        && !(element.tagName === 'BUTTON' && element.innerText.trim())) {
      // The edge may be that of a wrapper of the same size or a bit more.
      let best = 1, edge = element;
      for (let depth = 0; depth < 4 && edge.parentElement; depth++) {
        const around = behind(edge.parentElement);
        const looks = getComputedStyle(edge);
        best = Math.max(best, ratio(behind(edge), around));
        if (parseFloat(looks.borderTopWidth) > 0)
          best = Math.max(best, ratio(
            over(parse(looks.borderTopColor), around), around));
        // The thumb and its track are no elements; they have this colour.
        if (element.type === 'range')
          best = Math.max(best, ratio(
            parse(style.getPropertyValue('--slider-color')), around));
        if (element.tagName === 'BUTTON')
          best = Math.max(best, ratio(
            over(parse(style.color), behind(element)), behind(element)));
        edge = edge.parentElement;
      }
      controls.push([`${element.tagName} ${element.type || ''} `
        + (element.getAttribute('aria-label') || element.innerText
        || element.id), best]);
    }
  }
  return {texts, controls};
}"""


def measure(page):
    """Texts and controls of a page of playwright, as `_MEASURE` says."""
    return page.evaluate(_MEASURE)


def too_faint(page):
    """What has less contrast than level AA asks for, as lines of text."""
    found = measure(page)
    assert len(found["texts"]) > 10 and len(found["controls"]) > 4
    texts = [
        f"{words!r}: {ratio:.2f} ({colours})"
        for words, ratio, is_large, colours in found["texts"]
        if ratio < (3.0 if is_large else 4.5)
    ]
    controls = [
        f"{name}: {ratio:.2f}"
        for name, ratio in found["controls"]
        if ratio < 3.0
    ]
    return texts + controls
