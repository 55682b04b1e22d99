package portal

import (
	"net/http"

	ics "github.com/arran4/golang-ical"

	"ribambelle/internal/camp"
)

// everything is a size that no commune's programme reaches.
const everything = 5000

// calendar is the catalogue as a feed for a telephone's calendar: one entry a day of a camp. It takes the catalogue's
// filter, so that one may subscribe to "P3, with the bus".
func (s *server) calendar(w http.ResponseWriter, r *http.Request) error {
	f := readFilterOf(r)
	f.Page, f.Size = 1, everything
	camps, err := s.offers(r.Context(), f)
	if err != nil {
		return err
	}
	l := s.locale(r)
	cal := ics.NewCalendarFor("Ribambelle")
	cal.SetMethod(ics.MethodPublish)
	cal.SetName(l.T("portal.site", s.commune(r.Context())))
	cal.SetXPublishedTTL("PT6H")
	now := s.Now()
	for _, c := range camps {
		read, err := s.Camp.Camp(r.Context(), c.ID)
		if err != nil {
			return err
		}
		sessions, err := camp.SessionsOf(r.Context(), s.DB, c.ID)
		if err != nil {
			return err
		}
		for _, day := range sessions {
			e := cal.AddEvent(day.ID.String() + "@ribambelle")
			e.SetDtStampTime(now)
			e.SetStartAt(day.Day.At(day.Starts, read.TimeZone()))
			e.SetEndAt(day.Day.At(day.Ends, read.TimeZone()))
			e.SetSummary(c.Name)
			e.SetLocation(c.Location)
			e.SetURL(s.PublicURL + c.URL())
			if day.State == "cancelled" {
				e.SetStatus(ics.ObjectStatusCancelled)
			}
		}
	}
	w.Header().Set("Cache-Control", "public, max-age=900")
	w.Header().Set("Content-Disposition", `inline; filename="stages.ics"`)
	return s.send(w, "text/calendar; charset=utf-8", []byte(cal.Serialize()))
}
