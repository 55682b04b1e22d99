package maildrop

import (
	"bytes"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

func (d *Drop) routes() {
	d.mux.HandleFunc("GET /{$}", d.list)
	d.mux.HandleFunc("GET /mails/{id}", d.show)
	d.mux.HandleFunc("GET /mails/{id}/html", d.showHTML)
	d.mux.HandleFunc("GET /mails/{id}/raw", d.showRaw)
	d.mux.HandleFunc("GET /mails/{id}/attachments/{n}", d.showAttachment)
	d.mux.HandleFunc("GET /api/mails", d.listJSON)
	d.mux.HandleFunc("DELETE /api/mails", d.clear)
	d.mux.HandleFunc("GET /style.css", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, assets, "templates/style.css")
	})
}

// ServeHTTP shows the mails at /, and as JSON at /api/mails?to=ADDRESS, newest first; DELETE /api/mails empties the drop.
func (d *Drop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	d.mux.ServeHTTP(w, r)
}

// line is one mail on the list.
type line struct {
	ID         int64     `db:"id"`
	ReceivedAt time.Time `db:"received_at"`
	Recipients []string  `db:"recipients"`
	Subject    string    `db:"subject"`
}

// shown bounds the list.
const shown = 200

func (d *Drop) list(w http.ResponseWriter, r *http.Request) {
	query := strings.TrimSpace(r.URL.Query().Get("q"))
	rows, err := d.pool.Query(r.Context(), `
		SELECT id, received_at, recipients, subject
		FROM mail
		WHERE @q = '' OR strpos(lower(subject || ' ' || array_to_string(recipients, ' ')), lower(@q)) > 0
		ORDER BY id DESC
		LIMIT @most`, pgx.NamedArgs{"q": clean(query), "most": shown})
	if err != nil {
		d.broken(w, r, err)
		return
	}
	lines, err := pgx.CollectRows(rows, pgx.RowToStructByName[line])
	if err != nil {
		d.broken(w, r, err)
		return
	}
	d.page(w, r, "list.html", struct {
		Query string
		Lines []line
		Full  bool
	}{query, lines, len(lines) == shown})
}

// find reads the mail of the path; it has answered when ok is false.
func (d *Drop) find(w http.ResponseWriter, r *http.Request) (stored row, ok bool) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		http.NotFound(w, r)
		return row{}, false
	}
	stored, err = d.one(r.Context(), id)
	if errors.Is(err, errMissing) {
		http.NotFound(w, r)
		return row{}, false
	}
	if err != nil {
		d.broken(w, r, err)
		return row{}, false
	}
	return stored, true
}

func (d *Drop) show(w http.ResponseWriter, r *http.Request) {
	if stored, ok := d.find(w, r); ok {
		d.page(w, r, "show.html", stored.parse())
	}
}

// showHTML serves a mail's HTML for the sandboxed frame: nothing runs, nothing is loaded, links open another tab.
func (d *Drop) showHTML(w http.ResponseWriter, r *http.Request) {
	stored, ok := d.find(w, r)
	if !ok {
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy",
		"default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; "+
			"sandbox allow-popups allow-popups-to-escape-sandbox")
	// The mail's own doctype is skipped after this one, its html and head elements join those the parser has opened.
	_, _ = w.Write([]byte("<!doctype html><base target=\"_blank\">" + stored.parse().HTML))
}

func (d *Drop) showRaw(w http.ResponseWriter, r *http.Request) {
	if stored, ok := d.find(w, r); ok {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write(stored.Raw)
	}
}

func (d *Drop) showAttachment(w http.ResponseWriter, r *http.Request) {
	stored, ok := d.find(w, r)
	if !ok {
		return
	}
	m := stored.parse()
	n, err := strconv.Atoi(r.PathValue("n"))
	if err != nil || n < 0 || n >= len(m.Attachments) {
		http.NotFound(w, r)
		return
	}
	a := m.Attachments[n]
	w.Header().Set("Content-Type", "application/octet-stream")
	if a.Type == "application/pdf" {
		w.Header().Set("Content-Type", a.Type)
	}
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": a.Name}))
	_, _ = w.Write(a.Data)
}

func (d *Drop) listJSON(w http.ResponseWriter, r *http.Request) {
	mails, err := d.Mails(r.Context(), r.URL.Query().Get("to"))
	if err != nil {
		d.broken(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(mails); err != nil {
		d.opts.Log.ErrorContext(r.Context(), "mail drop", "error", err)
	}
}

func (d *Drop) clear(w http.ResponseWriter, r *http.Request) {
	if _, err := d.pool.Exec(r.Context(), `DELETE FROM mail`); err != nil {
		d.broken(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (d *Drop) page(w http.ResponseWriter, r *http.Request, name string, data any) {
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, name, data); err != nil {
		d.broken(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes())
}

func (d *Drop) broken(w http.ResponseWriter, r *http.Request, err error) {
	d.opts.Log.ErrorContext(r.Context(), "mail drop", "path", r.URL.Path, "error", err)
	http.Error(w, "La boîte de démonstration ne répond pas.", http.StatusInternalServerError)
}
