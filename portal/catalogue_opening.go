package portal

import (
	"net/http"
	"time"

	"github.com/google/uuid"

	"ribambelle/internal/camp"
	"ribambelle/internal/locale"
)

// openFor makes offers open when they do for who looks: a family by where its children live, of which one suffices, or
// the one child that the catalogue is filtered for; a visitor, of whom nobody knows, from the first opening of any
// audience on. The form, the basket and the submission ask the same rule of each child.
func (s *server) openFor(r *http.Request, offers []offer, children []childFit) error {
	ids := make([]uuid.UUID, len(offers))
	for i, o := range offers {
		ids[i] = o.ID
	}
	openings, err := camp.Openings(r.Context(), s.DB, ids)
	if err != nil || len(openings) == 0 {
		return err
	}
	resident := len(children) == 0
	for _, c := range children {
		lives, _, err := s.Household.Resident(r.Context(), s.DB, c.ID, s.today())
		if err != nil {
			return err
		}
		resident = resident || lives
	}
	for i := range offers {
		o := &offers[i]
		if o.Openings = openings[o.ID]; len(o.Openings) == 0 {
			continue
		}
		opens, ever := camp.OpensFor(o.Openings, o.OpensAt, resident)
		o.OpensAt, o.Shut = opens, !ever
		if len(children) > 0 {
			o.Openings = nil // the family reads its own
		}
	}
	return nil
}

// openingWords writes when an offer opens, "" once it is open, and what else a visitor must know of its audiences.
func openingWords(l *locale.Locale, o offer, now time.Time) (open, note string) {
	var residents, everyone *time.Time
	for _, v := range o.Openings {
		if v.Audience == camp.Residents {
			residents = &v.At
		} else {
			everyone = &v.At
		}
	}
	differ := residents != nil && (everyone == nil || residents.Before(*everyone))
	switch {
	case o.Shut:
		return l.T("eligible.residents_only"), ""
	case o.Later(now) && differ && everyone != nil:
		return l.T("camp.opens_both", l.Deadline(*residents), l.Deadline(*everyone)), ""
	case o.Later(now) && differ:
		return l.T("camp.opens_residents", l.Deadline(*residents)), ""
	case o.Later(now):
		return l.T("camp.opens", l.Deadline(*o.OpensAt)), ""
	case !o.OpenAt(now):
		return l.T("camp.closed"), ""
	case differ && everyone == nil:
		return "", l.T("eligible.residents_only")
	case differ && now.Before(*everyone):
		return "", l.T("eligible.opens_later_others", l.Deadline(*everyone))
	}
	return "", ""
}
