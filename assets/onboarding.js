// The onboarding page: asks for an attempt, shows what the server says, and speaks the postMessage contract when it is
// embedded. Everything shown comes from one object that the server sends on every change.
"use strict";

(() => {
  const root = document.getElementById("onboarding");
  const element = (id) => document.getElementById(id);
  const base = location.pathname.replace(/\/+$/, "");
  const isEmbedded = "embedded" in root.dataset;
  const origins = root.dataset.origins.split(" ").filter(Boolean);
  // Some browsers tell which of the origins the parent has; in others each is tried.
  const parentOrigin = location.ancestorOrigins && location.ancestorOrigins[0];
  const addressees = origins.filter((origin) => !parentOrigin || origin === parentOrigin);
  const network = root.dataset.network;
  // Whether accounts of the network sign in here, in place of a phone that scans.
  const asksForLogin = "login" in root.dataset;
  const hasPairing = network === "WhatsApp";
  const finalStates = new Set(["connected", "used", "revoked", "link_expired"]);

  let shown = { state: root.dataset.state, attempts_left: 0, pairing_codes_left: 0 };
  let newest = 0;
  let stream = null;
  let barTimer = null;
  // What the parent page has asked for; codes are posted only then.
  const wanted = { qr: false, phone: null, pairing: false };
  // What has been posted, so that nothing is posted twice.
  const posted = { qr: null, code: null, failure: null };

  const announcements = {
    connecting: asksForLogin ? "Signing in." : "Getting a code.",
    awaiting_scan: `The code is ready. Scan it with ${network}${hasPairing ? ", or link with the phone number" : ""}.`,
    connected: `${network} is connected.`,
    used: "This link has been used.",
    revoked: "This link was taken back.",
    link_expired: "This link has expired.",
  };

  // What is said of each kind of question, and what its field is for; none where there is nothing to be typed.
  const questions = {
    "2FA": { title: "Two-factor code", text: "Enter the code of your authenticator app.", field: "Code", resend: true },
    OTP: { title: "Check your messages", text: `Enter the code that ${network} has sent you.`, field: "Code", resend: true },
    IN_APP_VALIDATION: {
      title: "Approve the sign-in",
      text: `Open ${network} on your phone and confirm that it is you. This page goes on by itself.`,
    },
    PHONE_REGISTER: {
      title: "Phone number",
      text: `Enter the phone number of your ${network} account, with its country code.`,
      field: "Phone number",
    },
    OTHER: { title: `${network} asks for more`, text: `Enter what ${network} asks for.`, field: "Answer" },
  };

  function post(message) {
    if (!isEmbedded || window.parent === window) return;
    // The browser delivers to the parent only if its origin is the one that is named.
    for (const origin of addressees) window.parent.postMessage(message, origin);
  }

  function postFailure(code, message) {
    post({ type: "TIMELINES_ERROR", error: code, message });
  }

  function announce(text) {
    if (text && element("announcement").textContent !== text) element("announcement").textContent = text;
  }

  // What could not sign in is asked for again at once, with what was wrong.
  function placed(next) {
    const isRefused = next.state === "failed" && next.error && next.error.code === "login_refused";
    return asksForLogin && isRefused && next.attempts_left > 0 ? { ...next, state: "sign_in" } : next;
  }

  function show(state) {
    const next = placed(state);
    const before = shown.state;
    const asked = shown.question && shown.question.seq;
    const focused = document.activeElement;
    shown = next;
    root.dataset.state = next.state;
    for (const section of root.querySelectorAll("[data-when]")) {
      section.hidden = !section.dataset.when.split(" ").includes(next.state);
    }
    showQr(next.qr);
    showPairing(next.pairing);
    showFailure(next);
    showLogin(next, before);
    showQuestion(next.question, asked);
    if (next.state !== before) announce(announcements[next.state] || (next.error && next.error.message));
    // The keyboard's place is not lost with what was hidden.
    const isLost = focused !== document.body && focused.getClientRects().length === 0;
    if (isLost && [focused, document.body].includes(document.activeElement)) root.focus();
    tellParent(next);
    if (finalStates.has(next.state)) close();
  }

  function showQr(qr) {
    clearInterval(barTimer);
    element("scan").hidden = !qr;
    element("scan-over").hidden = Boolean(qr) || shown.state !== "awaiting_scan";
    if (!qr) return;
    element("qr").src = qr.image;
    const ends = performance.now() + qr.expires_in_ms;
    const tick = () => {
      const left = Math.max(0, ends - performance.now()) / Math.max(1, qr.expires_in_ms);
      element("bar").style.transform = `scaleX(${left})`;
    };
    tick();
    barTimer = setInterval(tick, 500);
  }

  function showPairing(pairing) {
    element("pairing-code").hidden = !pairing;
    element("pairing").hidden = !hasPairing || shown.pairing_codes_left < 1;
    const summary = element("pairing").querySelector("summary");
    summary.textContent = pairing ? "Get another code" : "Link with phone number instead";
    if (!pairing) return;
    const text = pairing.code.length === 8 ? `${pairing.code.slice(0, 4)}-${pairing.code.slice(4)}` : pairing.code;
    if (element("code").textContent === text) return;
    element("code").textContent = text;
    if (element("pairing-form").contains(document.activeElement)) summary.focus();
    element("pairing").open = false;
    announce(`Type this code into the phone: ${text.split("").join(" ")}`);
  }

  function showFailure(next) {
    const title = next.state === "expired" ? "The code has expired" : "That did not work";
    element("failure-title").textContent = title;
    element("failure").textContent = next.error ? next.error.message : "";
    element("retry").parentElement.hidden = next.attempts_left < 1;
    element("no-retry").hidden = next.attempts_left > 0;
  }

  function showLogin(next, before) {
    if (!asksForLogin) return;
    if (next.state !== "sign_in") {
      // Nobody finds it in the page after it has been sent.
      element("password").value = "";
      return;
    }
    if (before === "sign_in" && !next.error) return;
    tell("login-error", ["username", "password"], next.error && next.error.message);
    if (before !== "sign_in" && before !== "ready") element(next.error ? "password" : "username").focus();
  }

  function showQuestion(question, asked) {
    if (!question) {
      element("answer").value = "";
      return;
    }
    if (question.seq === asked) return;
    const kind = questions[question.kind] || questions.OTHER;
    element("question-title").textContent = kind.title;
    element("question").textContent = kind.text;
    element("approval").hidden = question.kind !== "IN_APP_VALIDATION";
    element("answer-form").hidden = !kind.field;
    element("resend").hidden = !kind.resend;
    element("resent").textContent = "";
    element("answer-label").textContent = kind.field || "";
    element("answer").value = "";
    element("answer").inputMode = kind.field === "Code" ? "numeric" : kind.field === "Phone number" ? "tel" : "text";
    tell("answer-error", ["answer"], null);
    announce(`${kind.title}. ${kind.text}`);
    if (kind.field) element("answer").focus();
  }

  // Says what is wrong with what was typed, or that nothing is.
  function tell(id, fields, text) {
    element(id).hidden = !text;
    element(id).textContent = text || "";
    for (const field of fields) element(field).setAttribute("aria-invalid", text ? "true" : "false");
  }

  function tellParent(next) {
    if (next.qr && wanted.qr && posted.qr !== next.qr.image) {
      posted.qr = next.qr.image;
      post({ type: "TIMELINES_QR_CODE_DATA", data: next.qr.image });
    }
    if (next.pairing && wanted.pairing && posted.code !== next.pairing.code) {
      posted.code = next.pairing.code;
      post({ type: "TIMELINES_PAIRING_CODE", code: next.pairing.code });
    }
    if (next.state === "awaiting_scan" && wanted.phone) {
      const phone = wanted.phone;
      wanted.phone = null;
      askForPairing(phone);
    }
    const failure = failureOf(next);
    const mark = failure && `${failure.code}:${next.attempts_left}`;
    if (failure && posted.failure !== mark) {
      posted.failure = mark;
      postFailure(failure.code, failure.message);
    }
    if (next.state === "connected") post({ type: "TIMELINES_QR_CONNECTED" });
  }

  function failureOf(next) {
    if (next.error) return next.error;
    const words = { used: "link_used", revoked: "link_revoked", link_expired: "link_expired" };
    const code = words[next.state];
    return code ? { code, message: announcements[next.state] } : null;
  }

  async function call(path, body) {
    const response = await fetch(base + path, {
      method: "POST",
      headers: body ? { "Content-Type": "application/json" } : {},
      body: body ? JSON.stringify(body) : undefined,
    }).catch(() => {
      const failure = new Error("The connection is interrupted. Please try again.");
      failure.code = "network";
      throw failure;
    });
    const answer = await response.json().catch(() => ({}));
    if (response.ok) return answer;
    const failure = new Error(answer.detail || "Something went wrong. Please try again.");
    failure.code = answer.code || "internal_error";
    throw failure;
  }

  // A button at work does nothing, but it is not disabled: that would take the keyboard's place away.
  async function busy(button, work) {
    if (button.getAttribute("aria-disabled") === "true") return;
    button.setAttribute("aria-disabled", "true");
    await work();
    button.setAttribute("aria-disabled", "false");
  }

  async function start(login) {
    posted.failure = null;
    show({ ...shown, state: "connecting", qr: null, pairing: null, question: null, error: null });
    try {
      showUnlessOlder(await call("/attempts", login));
      listen();
    } catch (failure) {
      // What ended the link meanwhile is told by the stream, with a page of its own.
      if (failure.code && failure.code.startsWith("link_")) listen();
      else showTrouble(failure);
    }
  }

  // Answers and events come by two ways; news that the other way overtook is old.
  function showUnlessOlder(state) {
    if (state.order < newest) return;
    // Whoever types already is not told again why the last try failed.
    if (state.order === newest && shown.state === "sign_in" && state.state !== "sign_in") return;
    newest = state.order;
    show(state);
  }

  function showTrouble(failure) {
    const code = failure.code || "network";
    show({
      ...shown,
      state: "failed",
      qr: null,
      pairing: null,
      question: null,
      error: { code, message: failure.message },
      attempts_left: code === "attempts_spent" ? 0 : Math.max(1, shown.attempts_left),
    });
  }

  async function askForPairing(phone) {
    tellPhoneError(null);
    try {
      showUnlessOlder(await call("/pairing-code", { phone: phone.replace(/[\s().-]/g, "") }));
    } catch (failure) {
      const isBadNumber = failure.code === "invalid_request";
      const text = isBadNumber ? "Please enter the number with its country code: + and 7 to 15 digits." : failure.message;
      tellPhoneError(text);
      postFailure(failure.code || "network", text);
    }
  }

  function tellPhoneError(text) {
    const error = element("phone-error");
    error.hidden = !text;
    error.textContent = text || "";
    element("phone").setAttribute("aria-invalid", text ? "true" : "false");
    if (text) element("pairing").open = true;
  }

  async function signIn() {
    const [username, password] = [element("username").value.trim(), element("password").value];
    if (!username || !password) {
      tell("login-error", [username ? "password" : "username"], "Please enter the user name and the password.");
      element(username ? "password" : "username").focus();
      return;
    }
    tell("login-error", ["username", "password"], null);
    await start({ username, password });
  }

  const answerTroubles = {
    challenge_wrong: "That is not the right code. Please try again.",
    challenge_expired: "The code has come too late. Please sign in again.",
    nothing_asked: "This question has been answered already.",
    busy: "The last answer is still on its way. Please wait a moment.",
    too_many_requests: "Too many tries at once. Please wait a moment.",
    provider_unavailable: `${network} could not be reached. Please try again in a moment.`,
    resend_too_soon: "A code was sent a moment ago. Please wait half a minute.",
    resend_not_offered: `${network} does not send this code again.`,
  };

  async function answer() {
    const code = element("answer").value.trim();
    if (!code || !shown.question) {
      tell("answer-error", ["answer"], "Please enter the code.");
      element("answer").focus();
      return;
    }
    tell("answer-error", ["answer"], null);
    element("resent").textContent = "";
    try {
      showUnlessOlder(await call("/answer", { question: shown.question.seq, code }));
    } catch (failure) {
      tellAnswerTrouble(failure);
      if (failure.code === "challenge_wrong") element("answer").select();
      element("answer").focus();
    }
  }

  async function askAgain() {
    tell("answer-error", ["answer"], null);
    element("resent").textContent = "";
    try {
      showUnlessOlder(await call("/answer/resend"));
      element("resent").textContent = "The code has been sent again.";
    } catch (failure) {
      tellAnswerTrouble(failure);
    }
  }

  function tellAnswerTrouble(failure) {
    const text = answerTroubles[failure.code] || failure.message;
    tell("answer-error", ["answer"], text);
    postFailure(failure.code || "network", text);
  }

  // Whoever signs in anew gets an empty form.
  async function restart() {
    if (asksForLogin) show({ ...shown, state: "sign_in", qr: null, pairing: null, question: null, error: null });
    else await start();
  }

  function listen() {
    if (stream) return;
    stream = new EventSource(`${base}/events`);
    stream.addEventListener("state", (event) => {
      element("offline").hidden = true;
      showUnlessOlder(JSON.parse(event.data));
    });
    stream.addEventListener("error", () => {
      element("offline").hidden = false;
      // A browser that has given up is helped to try again.
      if (stream && stream.readyState === EventSource.CLOSED) {
        stream = null;
        setTimeout(listen, 3000);
      }
    });
    stream.addEventListener("open", () => {
      element("offline").hidden = true;
    });
  }

  function close() {
    if (stream) stream.close();
    stream = null;
    element("offline").hidden = true;
  }

  function heardFromParent(event) {
    if (event.source !== window.parent || !origins.includes(event.origin)) return;
    const message = event.data;
    if (!message || typeof message !== "object") return;
    // Who asks again is answered again.
    posted.failure = null;
    if (message.type === "TIMELINES_START_QR") {
      wanted.qr = true;
      posted.qr = null;
      if (canStart()) start();
      else tellParent(shown);
    } else if (message.type === "TIMELINES_START_PHONE_LINKING" && typeof message.phone === "string") {
      wanted.pairing = true;
      posted.code = null;
      wanted.phone = message.phone;
      if (canStart()) start();
      else tellParent(shown);
    }
  }

  function canStart() {
    return !asksForLogin && ["ready", "expired", "failed"].includes(shown.state);
  }

  element("retry").addEventListener("click", (event) => busy(event.currentTarget, restart));
  element("pairing-form").addEventListener("submit", (event) => {
    event.preventDefault();
    busy(event.currentTarget.querySelector("button"), () => askForPairing(element("phone").value));
  });
  if (asksForLogin) {
    element("login-form").addEventListener("submit", (event) => {
      event.preventDefault();
      busy(event.currentTarget.querySelector("button"), signIn);
    });
  }
  element("answer-form").addEventListener("submit", (event) => {
    event.preventDefault();
    busy(event.currentTarget.querySelector("button"), answer);
  });
  element("resend").addEventListener("click", (event) => busy(event.currentTarget, askAgain));
  if (isEmbedded) window.addEventListener("message", heardFromParent);
  const logo = element("logo");
  if (logo) {
    logo.addEventListener("load", () => (logo.hidden = false));
    logo.src = `${base}/logo`;
  }

  if (finalStates.has(shown.state)) show(shown);
  else if (shown.state === "ready") start();
  else listen();
})();
