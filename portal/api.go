package portal

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"ribambelle/portal/form"
)

// apiCamp is one camp in the JSON interface; openapi.json describes it and a test holds both equal.
type apiCamp struct {
	ID              uuid.UUID  `json:"id"`
	Name            string     `json:"name"`
	URL             string     `json:"url"`
	Location        string     `json:"location"`
	FirstDay        string     `json:"first_day"`
	LastDay         string     `json:"last_day"`
	Days            int        `json:"days"`
	Starts          string     `json:"starts"`
	Ends            string     `json:"ends"`
	Levels          []string   `json:"levels"`
	AgeMin          *int       `json:"age_min"`
	AgeMax          *int       `json:"age_max"`
	Themes          []string   `json:"themes"`
	PriceFromCents  int64      `json:"price_from_cents"`
	PlacesLeft      *int       `json:"places_left"`
	Waiting         int        `json:"waiting"`
	Bus             bool       `json:"bus"`
	OpensAt         *time.Time `json:"opens_at"`
	ClosesAt        time.Time  `json:"closes_at"`
	RegistrationsOn bool       `json:"registrations_open"`
}

// apiCatalogue is a page of camps.
type apiCatalogue struct {
	Camps []apiCamp `json:"camps"`
	Total int       `json:"total"`
	Page  int       `json:"page"`
	Next  *string   `json:"next"`
}

//go:embed openapi.json
var openAPI []byte

const apiPageSize = 100

// apiCamps is the catalogue for programs: the commune's own site, a school's screen.
func (s *server) apiCamps(w http.ResponseWriter, r *http.Request) error {
	f := readFilterOf(r)
	f.Size = apiPageSize
	camps, err := s.offers(r.Context(), f)
	if err != nil {
		return err
	}
	if err := s.openFor(r, camps, nil); err != nil {
		return err
	}
	answer := apiCatalogue{Camps: make([]apiCamp, 0, len(camps)), Page: f.Page}
	now := s.Now()
	for _, c := range camps {
		answer.Total = c.Total
		one := apiCamp{
			ID: c.ID, Name: c.Name, URL: s.PublicURL + c.URL(), Location: c.Location, FirstDay: c.FirstDay.String(), LastDay: c.LastDay.String(),
			Days: c.Days, Starts: clock(c.Starts), Ends: clock(c.Ends), Levels: c.Levels, AgeMin: c.AgeMin, AgeMax: c.AgeMax, Themes: c.Themes,
			PriceFromCents: int64(c.FromCents), PlacesLeft: c.Free, Waiting: c.Waiting, Bus: c.Bus, ClosesAt: c.Closes().UTC(), RegistrationsOn: c.OpenAt(now),
		}
		if c.OpensAt != nil {
			at := c.OpensAt.UTC()
			one.OpensAt = &at
		}
		answer.Camps = append(answer.Camps, one)
	}
	if f.Page*f.Size < answer.Total {
		q := r.URL.Query()
		q.Set("page", strconv.Itoa(f.Page+1))
		next := s.PublicURL + "/api/v1/camps?" + q.Encode()
		answer.Next = &next
	}
	b, err := json.MarshalIndent(answer, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the catalogue as JSON: %w", err)
	}
	w.Header().Set("Cache-Control", "public, max-age=60")
	w.Header().Set("Access-Control-Allow-Origin", "*") // nothing here depends on who asks
	return s.send(w, "application/json", b)
}

// apiDescription is the OpenAPI description of the JSON interface.
func (s *server) apiDescription(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Cache-Control", "public, max-age=3600")
	w.Header().Set("Access-Control-Allow-Origin", "*")
	return s.send(w, "application/json", openAPI)
}

// readFilterOf reads the filter of an address that shows nothing about a child.
func readFilterOf(r *http.Request) filter { return readFilter(form.Query(r)) }

func isAPI(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/api/") }

// failAPI answers an error of the JSON interface.
func (s *server) failAPI(w http.ResponseWriter, code int, reference string) {
	b, _ := json.Marshal(map[string]any{"error": http.StatusText(code), "status": code, "reference": reference}) // a map of text and numbers always marshals
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(b)
}

func clock(minutes int) string { return fmt.Sprintf("%02d:%02d", minutes/60, minutes%60) }
