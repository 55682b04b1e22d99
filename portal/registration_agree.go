package portal

import (
	"context"
	"net/http"
	"slices"

	"github.com/google/uuid"
)

// awaited reports whether a registration waits for this guardian's consent, and whether it is this guardian's own
// request that waits for another's. Who that is stays untold.
func (s *server) awaited(ctx context.Context, g parent, id uuid.UUID) (mine, others bool, err error) {
	missing, err := s.Enrol.Awaited(ctx, s.DB, id)
	if err != nil || len(missing) == 0 {
		return false, false, err
	}
	reg, err := s.Enrol.Registration(ctx, id)
	return slices.Contains(missing, g.guardian.ID), reg.RegistrantID == g.guardian.ID, err
}

// agree keeps the consent of the guardian who acts.
func (s *server) agree(w http.ResponseWriter, r *http.Request) error {
	g, one, err := s.ofRegistration(r)
	if err != nil {
		return err
	}
	if err := s.Enrol.GiveConsent(r.Context(), g.guardian.ID, g.account.ID, one.ID); err != nil {
		return err
	}
	s.flash(w, "flash.agreed")
	return seeOther(w, r, "/mon-espace/inscriptions/"+one.ID.String())
}
