// One tap marks a child without loading the page again, and a tap without network is sent when it returns. Without this
// file the buttons are plain forms.
(() => {
  const roll = document.getElementById('roll');
  if (!roll || !window.fetch) return;
  const waiting = new Map(); // form → mark

  const show = (form, mark, late) => {
    const child = form.closest('li');
    child.classList.remove('is-present', 'is-absent');
    if (mark !== 'none') child.classList.add('is-' + mark);
    child.classList.toggle('is-late', late);
    child.querySelector('.late').hidden = !late;
    for (const b of form.querySelectorAll('button')) {
      const on = b.value === mark;
      if (b.value === 'none') { b.hidden = on; continue; }
      b.classList.toggle('on-' + b.value, on);
      b.setAttribute('aria-pressed', String(on));
    }
    const count = (mark) => roll.querySelectorAll('li.is-' + mark).length;
    document.getElementById('n-present').textContent = count('present');
    document.getElementById('n-absent').textContent = count('absent');
    document.getElementById('n-open').textContent = roll.children.length - count('present') - count('absent');
  };

  const send = async (form, mark) => {
    const body = new URLSearchParams(new FormData(form));
    body.set('mark', mark);
    let answer;
    try {
      answer = await fetch(form.action, { method: 'POST', body, headers: { Accept: 'application/json' }, redirect: 'manual' });
    } catch {
      waiting.set(form, mark);
      show(form, mark, true);
      return;
    }
    if (answer.status !== 204) { // signed out, or not allowed: the plain form tells why
      waiting.delete(form);
      form.dataset.plain = 'yes';
      form.querySelector(`button[value="${mark}"]`).click();
      return;
    }
    if (waiting.get(form) === mark) waiting.delete(form);
    if (!waiting.has(form)) show(form, mark, false);
  };

  roll.addEventListener('submit', (e) => {
    const mark = e.submitter && e.submitter.value;
    if (!mark || e.target.dataset.plain) return;
    e.preventDefault();
    waiting.delete(e.target);
    show(e.target, mark, false);
    send(e.target, mark);
  });
  const again = () => { for (const [form, mark] of [...waiting]) send(form, mark); };
  window.addEventListener('online', again);
  setInterval(again, 20000);
  window.addEventListener('beforeunload', (e) => { if (waiting.size) e.preventDefault(); });
})();
