package portal

import (
	"context"
	"fmt"
	"net/http"
	"time"
	"unicode"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/household"
	"ribambelle/internal/locale"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

// paperAdult is an adult whom the commune entered and who has no account yet.
type paperAdult struct {
	ID        uuid.UUID
	FirstName string
	LastName  string
	Street    string
	Postcode  string
	City      string
	Email     string
	Phone     string
	Letter    *time.Time // when the open code was made
	Mailed    *time.Time // when its link was last mailed
	Returned  bool       // no server took that mail
}

// Open reports whether the adult has a letter to print: a code that was not mailed, or whose mail came back.
func (a paperAdult) Open() bool { return a.Letter != nil && (a.Mailed == nil || a.Returned) }

// Masked is the telephone number as it stands in a letter: enough for its owner to recognise it.
func (a paperAdult) Masked() string { return masked(a.Phone) }

// masked hides the digits of a number between the first four and the last two.
func masked(e164 string) string {
	shown, digits, seen := []rune(locale.Phone(e164)), 0, 0
	for _, r := range shown {
		if unicode.IsDigit(r) {
			digits++
		}
	}
	for i, r := range shown {
		if !unicode.IsDigit(r) {
			continue
		}
		if seen++; seen > 4 && seen <= digits-2 {
			shown[i] = '•'
		}
	}
	return string(shown)
}

// staffLettersPage lists the adults without an account, to write to by letter or by mail.
type staffLettersPage struct {
	staffPage
	Adults  []paperAdult
	Letters int // to print
	Unsent  int // who have an address and to whom no code was mailed yet, whatever the bound of the page
	Most    int
}

// mostLetters bounds one page of adults, and one print.
const mostLetters = 500

func (s *server) staffLetters(w http.ResponseWriter, r *http.Request) error {
	base, err := s.familyStaff(r, s.locale(r).T("staff.letter.title"))
	if err != nil {
		return err
	}
	p := &staffLettersPage{staffPage: base, Most: mostLetters}
	if p.Adults, err = s.paperAdults(r.Context()); err != nil {
		return err
	}
	for _, a := range p.Adults {
		if a.Open() {
			p.Letters++
		}
	}
	err = s.DB.QueryRow(r.Context(), `
		SELECT count(*)::int
		FROM guardian AS g
		WHERE g.account_id IS NULL
		  AND g.merged_into IS NULL
		  AND g.kind = 'person'
		  AND g.email <> ''
		  AND NOT EXISTS (SELECT 1 FROM family_code AS c WHERE c.guardian_id = g.id AND `+openClaim+` AND c.mailed_at IS NOT NULL)`,
		pgx.NamedArgs{"now": s.Now()}).Scan(&p.Unsent)
	if err != nil {
		return fmt.Errorf("counting whom to mail to: %w", err)
	}
	return s.render(w, r, http.StatusOK, "staff/family/letters", p)
}

// openClaim is the condition under which c is a code with which a family takes its place.
const openClaim = `c.kind = 'claim' AND c.used_at IS NULL AND c.cancelled_at IS NULL AND c.expires_at > @now`

// returnedMail is whether no server took the last mail of the code c.
const returnedMail = `coalesce((SELECT m.failed_at IS NOT NULL FROM message AS m WHERE m.template = 'family_claim' AND m.subject_id = c.id::text
		    ORDER BY m.slot DESC LIMIT 1), false)`

// paperAdults returns adults without an account, those without a code first.
func (s *server) paperAdults(ctx context.Context) ([]paperAdult, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT g.id, g.first_name, g.last_name, g.street, g.postcode, g.city, g.email, g.phone,
		  c.created_at AS letter, c.mailed_at AS mailed, `+returnedMail+` AS returned
		FROM guardian AS g
		LEFT JOIN LATERAL (
			SELECT c.id, c.created_at, c.mailed_at
			FROM family_code AS c
			WHERE c.guardian_id = g.id
			  AND `+openClaim+`
			ORDER BY c.number DESC
			LIMIT 1
		) AS c ON true
		WHERE g.account_id IS NULL
		  AND g.merged_into IS NULL
		  AND g.kind = 'person'
		ORDER BY letter NULLS FIRST, g.last_name, g.first_name, g.id
		LIMIT @most`,
		pgx.NamedArgs{"now": s.Now(), "most": mostLetters})
	if err != nil {
		return nil, fmt.Errorf("reading whom to write to: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[paperAdult])
	if err != nil {
		return nil, fmt.Errorf("reading whom to write to: %w", err)
	}
	return list, nil
}

// staffLettersIssue writes to the adults that were ticked. By letter, older codes of theirs no longer count; by mail, the
// code that counts goes out, again if it did before.
func (s *server) staffLettersIssue(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	var ids []uuid.UUID
	for _, v := range f.All("guardian") {
		if id, err := uuid.Parse(v); err == nil {
			ids = append(ids, id)
		}
	}
	actor, _ := s.actorOf(r)
	if f.Text("par") == "courriel" {
		n, err := s.Household.MailClaims(r.Context(), actor, ids)
		if err != nil {
			return err
		}
		s.flashMailed(w, n)
		return seeOther(w, r, "/gestion/familles/lettres")
	}
	if _, err := s.Household.IssueClaims(r.Context(), actor, ids); err != nil {
		return err
	}
	s.flash(w, "flash.letters")
	return seeOther(w, r, "/gestion/familles/lettres/imprimer")
}

// flashMailed says whether any mail is under way.
func (s *server) flashMailed(w http.ResponseWriter, n int) {
	if n > 0 {
		s.flash(w, "flash.claims_mailed")
	} else {
		s.flash(w, "flash.claims_unmailed")
	}
}

// staffLettersMailAll mails a code to every adult without an account who has an address and got none yet.
func (s *server) staffLettersMailAll(w http.ResponseWriter, r *http.Request) error {
	actor, _ := s.actorOf(r)
	n, err := s.Household.MailAllClaims(r.Context(), actor)
	if err != nil {
		return err
	}
	s.flashMailed(w, n)
	return seeOther(w, r, "/gestion/familles/lettres")
}

// letter is one sheet of paper.
type letter struct {
	paperAdult
	Code household.Code
}

// staffLettersPrintPage is every open letter, one a page.
type staffLettersPrintPage struct {
	staffPage
	Letters []letter
	URL     string
}

// Reset reports whether a letter brings a code for a new password.
func (l letter) Reset() bool { return l.Code.Kind == household.CodeReset }

func (s *server) staffLettersPrint(w http.ResponseWriter, r *http.Request) error {
	base, err := s.familyStaff(r, s.locale(r).T("staff.letter.print"))
	if err != nil {
		return err
	}
	p := &staffLettersPrintPage{staffPage: base, URL: s.PublicURL + "/activation"}
	p.Back = &page.Link{URL: "/gestion/familles/lettres", Text: p.L.T("staff.letter.title")}
	returned, err := s.returnedClaims(r.Context())
	if err != nil {
		return err
	}
	codes, err := s.Household.Claims(r.Context(), returned)
	if err != nil {
		return err
	}
	for _, c := range codes[:min(len(codes), mostLetters)] {
		g, err := s.Household.Guardian(r.Context(), c.GuardianID)
		if err != nil {
			return err
		}
		p.Letters = append(p.Letters, letterOf(c, g))
	}
	return s.render(w, r, http.StatusOK, "staff/family/letters_print", p)
}

func letterOf(c household.Code, g household.Guardian) letter {
	return letter{Code: c, paperAdult: paperAdult{
		ID: g.ID, FirstName: g.FirstName, LastName: g.LastName, Street: g.Street, Postcode: g.Postcode, City: g.City, Phone: g.Phone,
	}}
}

// returnedClaims returns the codes whose mail no server took: they become letters.
func (s *server) returnedClaims(ctx context.Context) ([]uuid.UUID, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT c.id
		FROM family_code AS c
		WHERE `+openClaim+`
		  AND c.mailed_at IS NOT NULL
		  AND `+returnedMail,
		pgx.NamedArgs{"now": s.Now()})
	if err != nil {
		return nil, fmt.Errorf("reading the mails that came back: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, fmt.Errorf("reading the mails that came back: %w", err)
	}
	return ids, nil
}
