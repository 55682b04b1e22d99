package portal

import (
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/household"
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
	Letter    *time.Time // when the open letter was made
}

// staffLettersPage lists the adults without an account, to make letters for.
type staffLettersPage struct {
	staffPage
	Adults  []paperAdult
	Letters int // open ones
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
	rows, err := s.DB.Query(r.Context(), `
		SELECT g.id, g.first_name, g.last_name, g.street, g.postcode, g.city,
		  (SELECT max(c.created_at) FROM family_code AS c WHERE c.guardian_id = g.id AND c.kind = 'claim' AND c.used_at IS NULL
		   AND c.cancelled_at IS NULL AND c.expires_at > @now) AS letter
		FROM guardian AS g
		WHERE g.account_id IS NULL
		  AND g.merged_into IS NULL
		  AND g.kind = 'person'
		ORDER BY letter NULLS FIRST, g.last_name, g.first_name, g.id
		LIMIT @most`,
		pgx.NamedArgs{"now": s.Now(), "most": mostLetters})
	if err != nil {
		return fmt.Errorf("reading whom to write to: %w", err)
	}
	if p.Adults, err = pgx.CollectRows(rows, pgx.RowToStructByName[paperAdult]); err != nil {
		return fmt.Errorf("reading whom to write to: %w", err)
	}
	for _, a := range p.Adults {
		if a.Letter != nil {
			p.Letters++
		}
	}
	return s.render(w, r, http.StatusOK, "staff/family/letters", p)
}

// staffLettersIssue makes letters for the adults that were ticked; older letters to them no longer count.
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
	if _, err := s.Household.IssueClaims(r.Context(), actor, ids); err != nil {
		return err
	}
	s.flash(w, "flash.letters")
	return seeOther(w, r, "/gestion/familles/lettres/imprimer")
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

func (s *server) staffLettersPrint(w http.ResponseWriter, r *http.Request) error {
	base, err := s.familyStaff(r, s.locale(r).T("staff.letter.print"))
	if err != nil {
		return err
	}
	p := &staffLettersPrintPage{staffPage: base, URL: s.PublicURL + "/mon-espace/famille/code"}
	p.Back = &page.Link{URL: "/gestion/familles/lettres", Text: p.L.T("staff.letter.title")}
	codes, err := s.Household.Claims(r.Context())
	if err != nil {
		return err
	}
	for _, c := range codes[:min(len(codes), mostLetters)] {
		g, err := s.Household.Guardian(r.Context(), c.GuardianID)
		if err != nil {
			return err
		}
		p.Letters = append(p.Letters, letter{Code: c, paperAdult: paperAdult{
			ID: g.ID, FirstName: g.FirstName, LastName: g.LastName, Street: g.Street, Postcode: g.Postcode, City: g.City,
		}})
	}
	return s.render(w, r, http.StatusOK, "staff/family/letters_print", p)
}
