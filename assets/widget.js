// What a website embeds: a button, and behind it a frame of ours with the chat.
//
//   <script src="https://…/widget/widget.js" data-token="wgt_…" async></script>
//
// The website's own server may prove who its visitor is: data-user-id, data-user-hash, and data-user-email and
// data-user-name where they are known; or ChatWidget.identify({ userId, hash, email, name }) later.
(() => {
  'use strict';
  const script = document.currentScript;
  const token = script && script.dataset.token;
  if (!token || (window.ChatWidget && window.ChatWidget.token === token)) return;
  const base = new URL('.', script.src);
  const remembered = `chat-widget:${token}`;
  let frame = null;
  let isReady = false;
  let isOpen = false;
  let identity = fromAttributes(script.dataset);
  let root, button, badge, label;

  function fromAttributes(data) {
    return data.userId ? { user_id: data.userId, hash: data.userHash || '', email: data.userEmail, name: data.userName } : null;
  }

  function memory(value) {
    try {
      if (value) localStorage.setItem(remembered, value);
      return localStorage.getItem(remembered);
    } catch {
      return null;
    }
  }

  function tell(message) {
    if (frame && isReady) frame.contentWindow.postMessage(message, base.origin);
  }

  const CSS = `
    :host { all: initial; }
    * { box-sizing: border-box; }
    button { position: fixed; bottom: 20px; z-index: 2147483000; width: 56px; height: 56px; padding: 0; border: 0;
      border-radius: 50%; background: var(--brand); color: var(--ink); cursor: pointer;
      box-shadow: 0 2px 12px rgb(0 0 0 / 30%); }
    button:focus-visible { outline: 3px solid #1b1b1f; outline-offset: 3px; box-shadow: 0 0 0 3px #fff; }
    svg { width: 28px; height: 28px; display: block; margin: auto; fill: none; stroke: currentColor; stroke-width: 2;
      stroke-linecap: round; stroke-linejoin: round; }
    .badge { position: absolute; top: -6px; right: -6px; min-width: 26px; height: 26px; padding: 0 6px;
      border-radius: 13px; border: 2px solid #fff; background: #b3261e; color: #fff;
      font: 700 13px/22px system-ui, sans-serif; }
    iframe { position: fixed; bottom: 92px; z-index: 2147483000; width: 380px; height: min(600px, calc(100vh - 112px));
      border: 0; border-radius: 14px; background: #fff; box-shadow: 0 6px 32px rgb(0 0 0 / 28%); color-scheme: light dark; }
    [hidden] { display: none; }
    .right { right: 20px; }
    .left { left: 20px; }
    @media (max-width: 480px) {
      iframe.left, iframe.right { inset: 0; width: 100%; height: 100%; border-radius: 0; }
      button[aria-expanded=true] { display: none; }
    }
    @media (prefers-reduced-motion: no-preference) {
      button { transition: transform .15s; }
      button:hover { transform: scale(1.06); }
    }`;
  const OPEN = 'M21 11.5a8.4 8.4 0 0 1-8.5 8.3 9 9 0 0 1-3.6-.8L3 21l1.9-5.4a8 8 0 0 1-.9-4.1 8.4 8.4 0 0 1 17 0Z';
  const CLOSE = 'M6 6l12 12M18 6L6 18';

  function show(config) {
    const host = document.createElement('div');
    root = host.attachShadow({ mode: 'open' });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS);
    root.adoptedStyleSheets = [sheet];
    host.style.setProperty('--brand', config.primary_color);
    host.style.setProperty('--ink', config.text_color || inkOn(config.primary_color));
    label = config.title;
    button = document.createElement('button');
    button.type = 'button';
    button.className = config.position === 'bottom-left' ? 'left' : 'right';
    const icon = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
    icon.setAttribute('viewBox', '0 0 24 24');
    icon.setAttribute('aria-hidden', 'true');
    icon.append(document.createElementNS('http://www.w3.org/2000/svg', 'path'));
    badge = document.createElement('span');
    badge.className = 'badge';
    badge.hidden = true;
    button.append(icon, badge);
    button.addEventListener('click', () => (isOpen ? close() : open()));
    root.append(button);
    document.body.append(host);
    document.addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && isOpen) close();
    });
    window.addEventListener('message', heard);
    paint(0);
    // Whoever has written before hears of answers without opening the chat.
    if (memory()) load();
  }

  function inkOn(color) {
    const [red, green, blue] = [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16) ** 2);
    return 2126 * red + 7152 * green + 722 * blue > 2000 * 255 * 255 ? '#000000' : '#ffffff';
  }

  function paint(unread) {
    button.firstChild.firstChild.setAttribute('d', isOpen ? CLOSE : OPEN);
    button.setAttribute('aria-expanded', String(isOpen));
    const count = unread > 0 && !isOpen ? `, ${unread} unread` : '';
    button.setAttribute('aria-label', isOpen ? `Close chat: ${label}` : `Open chat: ${label}${count}`);
    badge.hidden = !count;
    badge.textContent = unread > 99 ? '99+' : String(unread);
  }

  function load() {
    if (frame) return;
    frame = document.createElement('iframe');
    frame.title = label;
    frame.className = button.className;
    frame.hidden = true;
    frame.src = new URL(`frame/${token}?origin=${encodeURIComponent(location.origin)}`, base).href;
    root.insertBefore(frame, button);
  }

  function open() {
    load();
    isOpen = true;
    frame.hidden = false;
    memory('1');
    paint(0);
    frame.focus();
    tell({ type: 'chat:open' });
  }

  function close() {
    if (!isOpen) return;
    isOpen = false;
    frame.hidden = true;
    paint(0);
    button.focus();
    tell({ type: 'chat:close' });
  }

  function heard(event) {
    if (!frame || event.source !== frame.contentWindow || event.origin !== base.origin || !event.data) return;
    if (event.data.type === 'chat:ready') {
      isReady = true;
      tell({ type: 'chat:start', identity, isOpen });
    } else if (event.data.type === 'chat:close') {
      close();
    } else if (event.data.type === 'chat:unread' && !isOpen) {
      paint(Number(event.data.count) || 0);
    }
  }

  window.ChatWidget = {
    token,
    open: () => button && open(),
    close: () => button && close(),
    identify: ({ userId, hash, email, name }) => {
      identity = { user_id: userId, hash, email, name };
      tell({ type: 'chat:identify', identity });
    },
  };
  fetch(new URL(`api/${token}/config`, base), { credentials: 'omit' })
    .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(`status ${answer.status}`))))
    .then((config) => {
      if (document.body) show(config);
      else document.addEventListener('DOMContentLoaded', () => show(config));
    })
    .catch((error) => console.warn('The chat is not available on this website:', error.message));
})();
