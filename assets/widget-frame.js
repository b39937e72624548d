// The chat in the frame: one session, one window of messages, one stream of what comes.
(() => {
  'use strict';
  const id = (name) => document.getElementById(name);
  const chat = id('chat');
  const { api, parent: website } = chat.dataset;
  const isFramed = window.parent !== window && website !== '';
  const key = `chat:${api}`;
  const CALM = [1000, 2000, 5000, 10000];
  const FRESH = 14 * 60000;
  const state = {
    token: null, identity: null, isOpen: !isFramed, isOnline: !('offline' in chat.dataset), begun: null,
    needsEmail: 'needsEmail' in chat.dataset, last: 0, oldest: null, read: 0, delivered: 0, unread: 0, tries: 0,
    stream: null, isLoaded: false, lists: new Map(), told: { delivered: 0, read: 0 },
  };

  function remember(token) {
    state.token = token;
    try {
      if (token) localStorage.setItem(key, token);
      else localStorage.removeItem(key);
    } catch { /* The conversation is forgotten with the page then. */ }
  }

  function recall() {
    try {
      state.token = localStorage.getItem(key);
    } catch { /* See above. */ }
  }

  async function call(method, path, body, headers = {}, signal = undefined) {
    const isFile = body instanceof Blob;
    if (state.token && path !== '/session') headers.Authorization = `Bearer ${state.token}`;
    if (body) headers['Content-Type'] = isFile ? 'application/octet-stream' : 'application/json';
    const sent = body ? (isFile ? body : JSON.stringify(body)) : undefined;
    const answer = await fetch(`${api}${path}`, { method, headers, signal, body: sent, cache: 'no-store', credentials: 'omit' });
    if (answer.ok) return answer;
    const problem = await answer.json().catch(() => ({}));
    throw Object.assign(new Error(problem.detail || 'The chat does not answer.'), { status: answer.status, code: problem.code });
  }

  function say(text) {
    id('notice').textContent = text;
    id('notice').hidden = !text;
  }

  function tellWebsite(message) {
    if (isFramed) window.parent.postMessage(message, website);
  }

  // One session at a time; whoever asks while one begins waits for it.
  function begin(details = {}) {
    state.begun ??= start(details).catch((error) => {
      state.begun = null;
      throw error;
    });
    return state.begun;
  }

  async function start(details) {
    const { name, ...identity } = state.identity || {};
    const body = { name, ...details };
    if (identity.user_id) body.identity = identity;
    if (state.token) body.visitor_token = state.token;
    let session;
    try {
      session = await (await call('POST', '/session', body)).json();
    } catch (error) {
      if (error.code !== 'visitor_token_invalid' || !state.token) throw error;
      remember(null);
      return start(details);
    }
    remember(session.visitor_token);
    if (session.visitor.email) state.needsEmail = false;
    paintForms();
    if (!state.isLoaded) await history();
    state.isLoaded = true;
    listen();
  }

  async function history() {
    const page = await (await call('GET', `/messages?limit=30${state.oldest ? `&before=${state.oldest}` : ''}`)).json();
    const log = id('log');
    const height = log.scrollHeight - log.scrollTop;
    const isFirst = state.oldest === null;
    const first = isFirst ? null : [...state.lists.entries()].sort(([a], [b]) => a - b)[0];
    for (const message of page.messages) put(message, first && first[1]);
    if (page.messages.length) state.oldest = page.messages[0].number;
    id('older').hidden = !page.has_more;
    if (id('welcome')) id('welcome').hidden = page.has_more;
    if (isFirst) toEnd();
    else log.scrollTop = log.scrollHeight - height;
  }

  function bubble(from, text) {
    const item = document.createElement('li');
    item.className = from === 'visitor' ? 'own' : 'theirs';
    const author = document.createElement('span');
    author.className = 'visually-hidden';
    author.textContent = from === 'visitor' ? 'You: ' : `${document.title}: `;
    item.append(author);
    if (text) {
      const words = document.createElement('p');
      words.dir = 'auto';
      words.textContent = text;
      item.append(words);
    }
    return item;
  }

  function size(bytes) {
    return bytes < 1048576 ? `${Math.max(1, Math.round(bytes / 1024))}\u00a0KB` : `${(bytes / 1048576).toFixed(1)}\u00a0MB`;
  }

  // Puts a message into the window, once.
  function put(message, before = null) {
    state.last = Math.max(state.last, message.number);
    const known = state.lists.get(message.number);
    if (known) {
      if (message.file) known.querySelector('a')?.replaceWith(link(message.file, message.number));
      return null;
    }
    let item = message.from === 'visitor' ? pendingWith(message.text) : null;
    if (item) item.classList.remove('pending', 'failed');
    else item = bubble(message.from, message.text);
    item.querySelectorAll('small').forEach((line) => line.remove());
    if (message.reply_to) item.querySelector('span').after(quote(message.reply_to));
    if (message.file) item.append(link(message.file, message.number));
    const line = document.createElement('small');
    const at = document.createElement('time');
    at.dateTime = message.sent_at;
    const date = new Date(message.sent_at);
    const isToday = date.toDateString() === new Date().toDateString();
    at.textContent = date.toLocaleString([], isToday ? { timeStyle: 'short' } : { dateStyle: 'medium', timeStyle: 'short' });
    line.append(at);
    item.append(line);
    state.lists.set(message.number, item);
    if (before) before.before(item);
    else if (!item.isConnected) {
      const waiting = id('messages').querySelector('.pending');
      if (waiting) waiting.before(item);
      else id('messages').append(item);
    }
    if (message.from === 'workspace') state.delivered = Math.max(state.delivered, message.number);
    return item;
  }

  function pendingWith(text) {
    return [...id('messages').querySelectorAll('.pending')].find((item) => item.querySelector('p').textContent === text);
  }

  // What a message answers, as it begins.
  function quote(answered) {
    const words = document.createElement('blockquote');
    words.dir = 'auto';
    words.textContent = answered.text || 'A file';
    return words;
  }

  // The address of a file is good for a quarter of an hour: an older one is renewed before it is followed.
  function link(file, number) {
    const anchor = document.createElement('a');
    let since = Date.now();
    anchor.addEventListener('click', async (event) => {
      if (Date.now() - since < FRESH) return;
      event.preventDefault();
      const tab = window.open('', '_blank');
      if (tab) tab.opener = null;
      try {
        const page = await (await call('GET', `/messages?limit=1&before=${number + 1}`)).json();
        [anchor.href, since] = [page.messages[0].file.url, Date.now()];
        if (tab) tab.location.replace(anchor.href);
      } catch {
        if (tab) tab.close();
        say('The file is not available any more.');
      }
    });
    anchor.href = file.url;
    anchor.target = '_blank';
    anchor.rel = 'noopener noreferrer';
    anchor.textContent = `${file.name} (${size(file.size)})`;
    return anchor;
  }

  function toEnd() {
    id('log').scrollTop = id('log').scrollHeight;
  }

  function isAtEnd() {
    const log = id('log');
    return log.scrollHeight - log.scrollTop - log.clientHeight < 120;
  }

  // Hears what comes until the page goes away; after a break it goes on behind the last message.
  async function listen() {
    if (state.stream) return;
    const abort = new AbortController();
    state.stream = abort;
    try {
      const answer = await call('GET', '/events', null, { 'Last-Event-ID': String(state.last) }, abort.signal);
      state.tries = 0;
      say('');
      await readEvents(answer.body.getReader());
      state.stream = null;
      setTimeout(listen, 200);
    } catch (error) {
      state.stream = null;
      if (abort.signal.aborted) return;
      if (error.status === 404 || error.status === 403) {
        say('This chat is not available any more.');
        switchOff();
        return;
      }
      if (error.status === 401) {
        state.begun = null;
        begin().catch(() => {});
        return;
      }
      if (state.tries > 0) say('The connection is interrupted. Trying again…');
      const pause = CALM[Math.min(state.tries, CALM.length - 1)];
      state.tries += 1;
      setTimeout(listen, pause * (0.75 + Math.random() / 2));
    }
  }

  async function readEvents(reader) {
    const decoder = new TextDecoder();
    let text = '';
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text += decoder.decode(value, { stream: true });
      let end;
      while ((end = text.indexOf('\n\n')) >= 0) {
        const data = text.slice(0, end).split('\n').filter((line) => line.startsWith('data:'));
        text = text.slice(end + 2);
        if (data.length) arrived(JSON.parse(data.map((line) => line.slice(5).trimStart()).join('\n')));
      }
    }
  }

  function arrived(message) {
    const stays = !isAtEnd();
    if (!put(message)) return;
    if (!stays) toEnd();
    if (message.from === 'workspace' && !isSeen()) {
      state.unread += 1;
      tellWebsite({ type: 'chat:unread', count: state.unread });
    }
    receipts();
  }

  function isSeen() {
    return state.isOpen && document.visibilityState === 'visible';
  }

  // Tells how far the visitor is, not more often than twice a second.
  function receipts() {
    if (isSeen()) {
      state.read = state.last;
      state.unread = 0;
    }
    clearTimeout(state.telling);
    state.telling = setTimeout(async () => {
      const now = { delivered: state.delivered, read: state.read };
      if (!state.token || (now.delivered <= state.told.delivered && now.read <= state.told.read)) return;
      try {
        await call('POST', '/receipts', now);
        state.told = now;
      } catch { /* They are told with the next message. */ }
    }, 500);
  }

  function newId() {
    return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  }

  // Sends a text, or a file, which is shown by its name until it has arrived.
  async function send(text, item, clientId, file) {
    item.classList.add('pending');
    item.classList.remove('failed');
    mark(item, 'Sending…');
    try {
      await begin();
      const query = file && new URLSearchParams({ name: file.name, client_id: clientId });
      const answer = file
        ? await call('POST', `/files?${query}`, file)
        : await call('POST', '/messages', { text, client_id: clientId });
      const message = await answer.json();
      if (state.lists.has(message.number)) {
        if (state.lists.get(message.number) !== item) item.remove();
      } else {
        if (file) item.remove();
        put(message);
      }
    } catch (error) {
      if (error.code === 'widget_offline') switchOff();
      if (error.status === 401) state.begun = null;
      item.classList.add('failed');
      const why = file && error.status < 500 && error.message ? `Not sent: ${error.message.replace(/^\w+: /, '')}.` : 'Not sent.';
      const again = mark(item, why).appendChild(document.createElement('button'));
      again.type = 'button';
      again.textContent = 'Try again';
      again.addEventListener('click', () => {
        send(text, item, clientId, file);
        id('text').focus();
      });
    }
  }

  function mark(item, text) {
    item.querySelectorAll('small').forEach((line) => line.remove());
    const line = document.createElement('small');
    line.textContent = text;
    item.append(line);
    return line;
  }

  function switchOff() {
    state.isOnline = false;
    paintForms();
  }

  function paintForms() {
    id('offline').hidden = state.isOnline;
    id('details').hidden = !state.isOnline || !state.needsEmail;
    id('compose').hidden = !state.isOnline || state.needsEmail;
  }

  function grow() {
    const text = id('text');
    text.style.height = 'auto';
    text.style.height = `${Math.min(text.scrollHeight + 2, 132)}px`;
  }

  function focus() {
    const place = state.isOnline ? (state.needsEmail ? 'email' : 'text') : 'log';
    id(place).focus({ preventScroll: true });
  }

  function opened() {
    state.isOpen = true;
    paintForms();
    begin().then(receipts).catch((error) => say(error.message));
    receipts();
    focus();
    toEnd();
  }

  function forget() {
    if (state.stream) state.stream.abort();
    for (const item of state.lists.values()) item.remove();
    state.lists.clear();
    Object.assign(state, { stream: null, begun: null, isLoaded: false, last: 0, oldest: null, read: 0, delivered: 0, unread: 0 });
    state.told = { delivered: 0, read: 0 };
  }

  window.addEventListener('message', (event) => {
    if (!isFramed || event.source !== window.parent || event.origin !== website || !event.data) return;
    const { type } = event.data;
    if (type === 'chat:start') {
      state.identity = event.data.identity || null;
      if (event.data.isOpen) opened();
      else if (state.token || state.identity) begin().catch(() => {});
    } else if (type === 'chat:open') opened();
    else if (type === 'chat:close') state.isOpen = false;
    else if (type === 'chat:identify') {
      state.identity = event.data.identity;
      forget();
      begin().catch((error) => say(error.message));
    }
  });

  id('compose').addEventListener('submit', (event) => {
    event.preventDefault();
    const text = id('text').value.trim();
    if (!text) return;
    id('text').value = '';
    grow();
    const item = bubble('visitor', text);
    id('messages').append(item);
    toEnd();
    send(text, item, newId());
  });
  id('attach').addEventListener('click', () => id('file').click());
  id('file').addEventListener('change', () => {
    const file = id('file').files[0];
    id('file').value = '';
    if (!file) return;
    const item = bubble('visitor', `${file.name} (${size(file.size)})`);
    id('messages').append(item);
    toEnd();
    send('', item, newId(), file);
    id('text').focus();
  });
  id('text').addEventListener('input', grow);
  id('text').addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    id('compose').requestSubmit();
  });
  id('details').addEventListener('submit', async (event) => {
    event.preventDefault();
    const [email, error] = [id('email'), id('email-error')];
    const refuse = (text) => {
      error.textContent = text;
      error.hidden = !text;
      email.setAttribute('aria-invalid', String(Boolean(text)));
    };
    if (!email.checkValidity()) {
      refuse('Please enter an e-mail address, such as ann@example.com.');
      email.focus();
      return;
    }
    refuse('');
    try {
      await begin().catch(() => {});
      state.begun = null;
      await begin({ email: email.value.trim() });
      focus();
    } catch (problem) {
      refuse(problem.message);
      email.focus();
    }
  });
  id('older').addEventListener('click', () => history().catch((error) => say(error.message)));
  id('close').addEventListener('click', () => tellWebsite({ type: 'chat:close' }));
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') tellWebsite({ type: 'chat:close' });
  });
  document.addEventListener('visibilitychange', receipts);
  window.addEventListener('online', () => state.begun && listen());

  id('close').hidden = !isFramed;
  paintForms();
  recall();
  if (isFramed) tellWebsite({ type: 'chat:ready' });
  else opened();
})();
