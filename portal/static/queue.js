// Keys for the staff queue: j next, k previous, v validate, r refuse. Everything works without this file.
(() => {
  const rows = [...document.querySelectorAll('table.queue tbody tr')];
  if (!rows.length) return;
  let at = -1;
  const go = (n) => {
    at = Math.max(0, Math.min(rows.length - 1, n));
    rows[at].querySelector('a.open').focus();
    rows[at].scrollIntoView({ block: 'nearest' });
  };
  rows.forEach((row, i) => row.addEventListener('focusin', () => { at = i; }));
  document.addEventListener('keydown', (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.target.matches?.('input:not([type=checkbox]), textarea, select')) return;
    const row = rows[at];
    switch (e.key) {
      case 'j': go(at + 1); break;
      case 'k': go(at < 0 ? 0 : at - 1); break;
      case 'v': row?.querySelector('.act .btn:not(.ghost)')?.click(); break;
      case 'r': row?.querySelector('.act a.ghost')?.click(); break;
      default: return;
    }
    e.preventDefault();
  });
})();
