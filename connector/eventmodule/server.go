package eventmodule

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// maxBody bounds a request; Odoo leaves that to the proxy before it.
	maxBody = 64 << 20
	// callLimit ends a call, as Odoo's limit_time_real does.
	callLimit = 120 * time.Second
)

// Options say who may come in and under which name the database answers.
type Options struct {
	DB     string           // the database name clients must give; default "odoo"
	Users  []User           // the first administrator becomes uid 2, as in Odoo
	Logger *slog.Logger     // default slog.Default()
	Clock  func() time.Time // default time.Now
}

// User is one login. Passwords stay in memory, hashed.
type User struct {
	Login    string
	Password string
	Name     string // default: Administrator for an Admin, else the login
	Admin    bool   // may do everything
	Desk     bool   // reads events; creates, writes and loads registrations
	// ContactCreation adds the right to create and change partners.
	ContactCreation bool
}

// user is a User with its place in the database.
type user struct {
	User
	id   int64
	hash [sha256.Size]byte
}

// Server answers Odoo's XML-RPC and JSON-RPC services from its own tables.
type Server struct {
	pool       *pgxpool.Pool
	db         string
	log        *slog.Logger
	clock      func() time.Time
	models     *registry
	users      map[int64]*user
	byLogin    map[string]*user
	firstStage any
	sessions   sessions // of JSON-RPC
}

// Open prepares (creates or migrates) the module's tables in the database of
// pool, registers the users and returns the server. The database belongs to
// the module alone.
func Open(ctx context.Context, pool *pgxpool.Pool, o Options) (*Server, error) {
	s := &Server{pool: pool, db: o.DB, log: o.Logger, clock: o.Clock, users: map[int64]*user{}, byLogin: map[string]*user{}}
	if s.db == "" {
		s.db = "odoo"
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, schemaLock); err != nil {
			return err
		}
		zones, err := timeZones(ctx, tx)
		if err != nil {
			return err
		}
		s.models = newRegistry(allModels(zones)...)
		if err := migrate(ctx, tx, s.models); err != nil {
			return err
		}
		if err := s.furnish(ctx, tx); err != nil {
			return err
		}
		for _, u := range o.Users {
			if err := s.enlist(ctx, tx, u); err != nil {
				return err
			}
		}
		var stage int64
		err = tx.QueryRow(ctx, `SELECT COALESCE((SELECT id FROM event_stage ORDER BY sequence, name, id LIMIT 1), 0)`).Scan(&stage)
		s.firstStage = stage
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("preparing the event module's tables: %w", err)
	}
	return s, nil
}

func allModels(zones [][2]string) []*model {
	models := []*model{eventModel(zones), ticketModel(), registrationModel(), stageModel(), typeModel(zones), mailModel(), partnerModel(zones)}
	models = append(models, tagModels()...)
	return append(models, baseModels()...)
}

// enlist finds or makes the rows of a login.
func (s *Server) enlist(ctx context.Context, tx pgx.Tx, u User) error {
	if u.Login == "" || s.byLogin[u.Login] != nil {
		return fmt.Errorf("the login %q is empty or given twice", u.Login)
	}
	if u.Name == "" {
		u.Name = u.Login
		if u.Admin {
			u.Name = "Administrator"
		}
	}
	known := &user{User: u, hash: sha256.Sum256([]byte(u.Password))}
	err := tx.QueryRow(ctx, `SELECT id::bigint FROM res_users WHERE login = $1`, u.Login).Scan(&known.id)
	if errors.Is(err, pgx.ErrNoRows) {
		err = tx.QueryRow(ctx, `
			WITH person AS (
				INSERT INTO res_partner (name, active, type, lang, color, is_company, create_uid, write_uid, create_date, write_date)
				VALUES ($2, TRUE, 'contact', 'en_US', 0, FALSE, 1, 1, $3, $3)
				RETURNING id)
			INSERT INTO res_users (login, partner_id, company_id, active, create_uid, write_uid, create_date, write_date)
			SELECT $1, person.id, 1, TRUE, 1, 1, $3, $3
			FROM person
			RETURNING id::bigint`, u.Login, u.Name, s.clock().UTC()).Scan(&known.id)
	}
	if err != nil {
		return fmt.Errorf("registering the login %q: %w", u.Login, err)
	}
	s.users[known.id], s.byLogin[u.Login] = known, known
	return nil
}

// admits compares a password in constant time.
func (u *user) admits(password string) bool {
	hash := sha256.Sum256([]byte(password))
	return subtle.ConstantTimeCompare(hash[:], u.hash[:]) == 1
}

// ServeHTTP answers POST /xmlrpc/2/<service>, /xmlrpc/<service> with the
// string fault codes of the older protocol, and the entries of JSON-RPC (see
// serveJSON). Every fault is a 200.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if jsonPath(r.URL.Path) {
		s.serveJSON(w, r)
		return
	}
	service, older := strings.CutPrefix(r.URL.Path, "/xmlrpc/")
	if newer, ok := strings.CutPrefix(r.URL.Path, "/xmlrpc/2/"); ok {
		service, older = newer, false
	} else if !older {
		page404(w)
		return
	}
	if service == "" || strings.Contains(service, "/") {
		page404(w)
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST, OPTIONS")
		writePage(w, http.StatusMethodNotAllowed, "The method is not allowed for the requested URL.")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			writePage(w, http.StatusRequestEntityTooLarge, "The data value transmitted exceeds the capacity limit.")
			return
		}
		writePage(w, http.StatusBadRequest, "The request could not be read.")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), callLimit)
	defer cancel()
	answer := s.answer(ctx, service, older, body)
	h := w.Header()
	h.Set("Content-Type", "text/xml; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(answer)))
	if _, err := w.Write(answer); err != nil { //nolint:gosec // escaped by the encoder, and no browser runs text/xml with nosniff
		s.log.DebugContext(r.Context(), "answer not delivered", "err", err)
	}
}

// answer runs one call and lays out what it gives: a value or a fault.
func (s *Server) answer(ctx context.Context, service string, older bool, body []byte) []byte {
	v, err := s.call(ctx, service, body)
	if err == nil {
		var out []byte
		if out, err = encodeResponse(v); err == nil {
			return out
		}
	}
	f := s.asFault(ctx, err)
	if older {
		code, text := f.olderForm()
		return encodeFault(code, text)
	}
	return encodeFault(f.code, f.text)
}

func (s *Server) call(ctx context.Context, service string, body []byte) (any, error) {
	method, params, err := decodeCall(bytes.NewReader(body))
	if err != nil {
		if len(bytes.TrimSpace(body)) == 0 {
			err = errors.New("no element found: line 1, column 0")
		}
		return nil, traceback("xml.parsers.expat.ExpatError: " + err.Error())
	}
	return s.dispatch(ctx, service, method, params)
}

// asFault makes a fault of any error. What is not meant for the caller is
// logged and told as a traceback without detail.
func (s *Server) asFault(ctx context.Context, err error) *fault {
	var f *fault
	if errors.As(err, &f) {
		return f
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return traceback("psycopg2.errors.QueryCanceled: canceling statement due to user request\n")
	}
	s.log.ErrorContext(ctx, "call failed", "err", err)
	return traceback("psycopg2.OperationalError: the database did not answer as expected\n")
}

// olderForm is the fault as /xmlrpc/<service> tells it.
func (f *fault) olderForm() (code, text string) {
	switch f.code {
	case codeDenied:
		return "AccessDenied", f.text
	case codeUser, codeAccess:
		return fmt.Sprintf("warning -- %s\n\n%s", f.class, f.text), ""
	}
	return f.class, f.text
}

func page404(w http.ResponseWriter) {
	writePage(w, http.StatusNotFound, "The requested URL was not found on the server.")
}

// writePage answers one of Werkzeug's plain error pages.
func writePage(w http.ResponseWriter, status int, text string) {
	title := http.StatusText(status)
	body := fmt.Sprintf("<!doctype html>\n<html lang=en>\n<title>%d %s</title>\n<h1>%s</h1>\n<p>%s</p>\n", status, title, title, text)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}
