package eventmodule

import (
	"fmt"
	"time"
	_ "time/tzdata" // Brussels must be known wherever the server runs
)

var brussels = func() *time.Location {
	loc, err := time.LoadLocation("Europe/Brussels")
	if err != nil {
		panic("eventmodule: the embedded time zones lack Europe/Brussels: " + err.Error())
	}
	return loc
}()

// monday is the one Monday among the seven days from the given one. The
// school holidays of the French Community since the reform of 2022 begin on
// such Mondays (checked for 2025-26 and 2026-27).
func monday(year int, month time.Month, first int) time.Time {
	day := time.Date(year, month, first, 0, 0, 0, 0, brussels)
	return day.AddDate(0, 0, (8-int(day.Weekday()))%7)
}

// The first Mondays of the holidays in a calendar year.
func carnival(year int) time.Time { return monday(year, time.February, 16) }
func spring(year int) time.Time   { return monday(year, time.April, 24) }
func summer(year int) time.Time   { return monday(year, time.July, 3) }
func winter(year int) time.Time   { return monday(year, time.December, 19) }

// coming is the next time the holiday begins, at least two weeks ahead.
func coming(now time.Time, holiday func(year int) time.Time) time.Time {
	if day := holiday(now.Year()); day.After(now.AddDate(0, 0, 14)) {
		return day
	}
	return holiday(now.Year() + 1)
}

// camp is one line of Valmont's programme, before it becomes an Event.
type camp struct {
	key, name, place string
	monday           time.Time
	first, days      int // first day counted from Monday, and how many
	from, until      int // hours in Brussels
	levels           []string
	age              string
	themes           []string
	seats            int
	week, half       float64 // prices in euros; half 0 has no half-day ticket
	open             bool    // registration is open now; otherwise it opens later
	taken            int     // places other people hold
	stage            string
	archived         bool
	text             []string
}

// Valmont is a fictional Belgian commune: the camps of the coming school
// holidays around now, with one that is full, one of 24 places, one without
// limit, one archived, and a concert that is no camp.
//
//nolint:misspell // The commune speaks French.
func Valmont(now time.Time) Commune {
	c := Commune{
		Module: "valmont", Name: "Commune de Valmont", Zip: "4599", City: "Valmont",
		Places: []Place{
			{"moulin", "Complexe sportif du Vieux Moulin", "Rue du Vieux Moulin 12"},
			{"ecole", "École communale du Centre", "Place de l’Église 3"},
			{"ferme", "Ferme pédagogique des Tilleuls", "Chemin des Tilleuls 41"},
			{"lac", "Base nautique du lac", "Route du Barrage 1"},
			{"foyer", "Foyer culturel", "Rue de la Station 27"},
		},
		Tags: []TagCategory{
			{"Activité", []string{"Stage", "Concert"}},
			{"Niveau", levels},
			{"Thème", []string{"Nature", "Sport", "Cirque", "Sciences", "Arts", "Eau", "Cuisine", "Aventure"}},
			{"Âge", []string{"3-5 ans", "3-6 ans", "3-12 ans", "5-8 ans", "6-8 ans", "6-10 ans", "6-12 ans", "8-12 ans", "9-13 ans", "9-14 ans", "10-15 ans", "12-16 ans", "12-18 ans"}},
		},
		Types: []string{"Stage"},
	}
	for i, camp := range programme(now) {
		c.Events = append(c.Events, camp.event(now, i))
	}
	evening := time.Date(now.Year(), now.Month(), now.Day(), 20, 0, 0, 0, brussels).AddDate(0, 0, 33)
	c.Events = append(c.Events, Event{
		Key: "concert", Name: "Concert de l’harmonie communale", Begin: evening, End: evening.Add(2 * time.Hour), Zone: "Europe/Brussels",
		Place: "foyer", Tags: []string{"Concert"}, Stage: "Announced", Seats: 180,
		Description: "<p>L’harmonie communale fête ses 120 ans. Entrée libre, bar ouvert dès 19 h.</p>",
		Attendees:   []Attendee{{Name: "Odile Renson", Email: "odile.renson@example.org"}},
	})
	return c
}

var levels = []string{"M1", "M2", "M3", "P1", "P2", "P3", "P4", "P5", "P6", "S1", "S2", "S3", "S4", "S5", "S6"}

// span lists the school levels from one to another.
func span(from, to string) []string {
	var out []string
	for _, level := range levels {
		if level == from || len(out) > 0 {
			out = append(out, level)
		}
		if level == to {
			break
		}
	}
	return out
}

//nolint:misspell // The programme is French.
func programme(now time.Time) []camp {
	noel, carnaval, printemps, ete := coming(now, winter), coming(now, carnival), coming(now, spring), coming(now, summer)
	week := func(from time.Time, n int) time.Time { return from.AddDate(0, 0, 7*n) }
	return []camp{
		{
			key: "cirque", name: "Cirque d’hiver", place: "moulin", monday: week(noel, 0), days: 3, from: 9, until: 16,
			levels: span("P1", "P3"), age: "6-8 ans", themes: []string{"Cirque"}, seats: 20, week: 48, half: 28, open: true, taken: 6, stage: "Announced",
			text: []string{"Trois jours sous le petit chapiteau du Vieux Moulin : jonglerie, boule, trapèze bas et pyramides.", "Le dernier jour à 15 h, les enfants montrent leur numéro aux familles."},
		},
		{
			key: "cuisine", name: "Petits cuistots de Noël", place: "ecole", monday: week(noel, 1), days: 3, from: 9, until: 16,
			levels: span("M2", "M3"), age: "3-5 ans", themes: []string{"Cuisine"}, seats: 12, week: 54, open: true, taken: 12, stage: "Booked",
			text: []string{"Biscuits, soupes et décorations de table dans la cuisine de l’école du Centre.", "Allergies : signalez-les dans la fiche santé, le menu sera adapté."},
		},
		{
			key: "masques", name: "Masques et couleurs", place: "foyer", monday: week(carnaval, 0), days: 5, from: 9, until: 16,
			levels: span("M1", "M3"), age: "3-6 ans", themes: []string{"Arts"}, seats: 16, week: 75, half: 42, open: true, taken: 4, stage: "Announced",
			text: []string{"Peinture, papier mâché et petit défilé de carnaval dans les rues du centre.", "Sieste possible pour les plus petits."},
		},
		{
			key: "chimistes", name: "Le labo des petits chimistes", place: "ecole", monday: week(carnaval, 0), days: 5, from: 9, until: 16,
			levels: span("P3", "P6"), age: "8-12 ans", themes: []string{"Sciences"}, seats: 18, week: 85, open: true, taken: 3, stage: "Announced",
			text: []string{"Volcans, encres invisibles et cristaux : une expérience par demi-journée, à refaire à la maison.", "Blouse et lunettes sont prêtées."},
		},
		{
			key: "multisports", name: "Multisports", place: "moulin", monday: week(carnaval, 1), days: 5, from: 9, until: 16,
			levels: span("P1", "P6"), age: "6-12 ans", themes: []string{"Sport"}, seats: 30, week: 70, half: 40, open: true, taken: 5,
			text: []string{"Chaque jour un autre sport : escalade, badminton, hockey, athlétisme et jeux de balle.", "Prévoir des chaussures d’intérieur et une gourde."},
		},
		{
			key: "abeilles", name: "À l’école des abeilles", place: "ferme", monday: week(printemps, 0), days: 4, from: 9, until: 16,
			levels: span("P1", "P4"), age: "6-10 ans", themes: []string{"Nature"}, seats: 24, week: 68, half: 38, open: true, taken: 7, stage: "Announced",
			text: []string{"Observer une ruche vitrée, construire un hôtel à insectes et récolter les premières tisanes du jardin.", "Bottes et vêtements de pluie indispensables."},
		},
		{
			key: "poney", name: "Premiers pas à poney", place: "ferme", monday: week(printemps, 1), days: 5, from: 9, until: 16,
			levels: span("M3", "P2"), age: "5-8 ans", themes: []string{"Nature", "Sport"}, seats: 12, week: 110, open: true, taken: 9,
			text: []string{"Brosser, guider, monter : une semaine avec les six poneys de la ferme des Tilleuls.", "Bombe fournie ; pantalon long demandé."},
		},
		{
			key: "theatre", name: "Le petit théâtre", place: "foyer", monday: week(printemps, 1), days: 5, from: 9, until: 16,
			levels: span("P4", "S2"), age: "9-14 ans", themes: []string{"Arts"}, seats: 18, week: 80,
			text: []string{"Improvisation, voix et mise en scène avec la troupe du foyer culturel.", "Représentation le vendredi à 18 h."},
		},
		{
			key: "plaine1", name: "Plaine de vacances · semaine 1", place: "ecole", monday: week(ete, 0), days: 5, from: 8, until: 17,
			levels: span("M1", "P6"), age: "3-12 ans", themes: []string{"Nature", "Sport"}, week: 45, half: 25, open: true, taken: 8,
			text: []string{"Jeux, bricolages et sorties : la plaine accueille tous les enfants de la commune, sans limite de places.", "Garderie de 7 h 30 à 8 h et de 17 h à 18 h."},
		},
		{
			key: "plaine3", name: "Plaine de vacances · semaine du 21 juillet", place: "ecole", monday: week(ete, 2), days: 5, from: 8, until: 17,
			levels: span("M1", "P6"), age: "3-12 ans", themes: []string{"Nature", "Sport"}, seats: 80, week: 36, half: 20,
			text: []string{"Quatre jours de plaine : pas d’accueil le 21 juillet, jour de fête nationale.", "Sortie au parc animalier selon la météo."},
		},
		{
			key: "voile", name: "Voile et kayak", place: "lac", monday: week(ete, 1), days: 5, from: 9, until: 16,
			levels: span("P5", "S3"), age: "10-15 ans", themes: []string{"Eau", "Sport"}, seats: 14, week: 145,
			text: []string{"Initiation à l’Optimist et au kayak avec les moniteurs du lac.", "Le brevet de 50 mètres est obligatoire."},
		},
		{
			key: "robots", name: "Robots et codes", place: "foyer", monday: week(ete, 3), days: 5, from: 9, until: 16,
			levels: span("P4", "S1"), age: "9-13 ans", themes: []string{"Sciences"}, seats: 16, week: 120,
			text: []string{"Monter et programmer un petit robot qui évite les obstacles, seul ou à deux.", "Le matériel reste au foyer, les plans partent à la maison."},
		},
		{
			key: "cabanes", name: "Cabanes et feux de bois", place: "ferme", monday: week(ete, 4), days: 5, from: 9, until: 16,
			levels: span("P3", "P6"), age: "8-12 ans", themes: []string{"Nature", "Aventure"}, seats: 20, week: 90,
			text: []string{"Nœuds, abris, orientation et pain cuit au bâton dans le bois des Tilleuls.", "Une nuit sous tente le jeudi, sur inscription séparée."},
		},
		{
			key: "raid", name: "Raid aventure ados", place: "lac", monday: week(ete, 5), days: 5, from: 9, until: 17,
			levels: span("S1", "S4"), age: "12-16 ans", themes: []string{"Aventure", "Eau", "Sport"}, seats: 24, week: 135,
			text: []string{"VTT, descente en kayak, course d’orientation et une nuit de bivouac.", "Chaque équipe prépare son itinéraire."},
		},
		{
			key: "photo", name: "Photo et reportage", place: "foyer", monday: week(ete, 1), days: 5, from: 9, until: 16,
			levels: span("S1", "S6"), age: "12-18 ans", themes: []string{"Arts"}, seats: 10, week: 95, stage: "Cancelled", archived: true,
			text: []string{"Ce stage n’aura pas lieu cette année."},
		},
	}
}

// event makes an Event of a line of the programme.
func (c camp) event(now time.Time, index int) Event {
	at := func(day, hour int) time.Time {
		d := c.monday.AddDate(0, 0, day)
		return time.Date(d.Year(), d.Month(), d.Day(), hour, 0, 0, 0, brussels)
	}
	begin, end := at(c.first, c.from), at(c.first+c.days-1, c.until)
	opens := now.AddDate(0, 0, -20)
	if !c.open {
		opens = now.AddDate(0, 0, 45+index) // still to come
	}
	closes := begin.AddDate(0, 0, -3)
	ev := Event{
		Key: c.key, Name: c.name, Begin: begin, End: end, Zone: "Europe/Brussels", Place: c.place, Type: "Stage",
		Stage: c.stage, Seats: c.seats, Archived: c.archived,
		Tags: append(append(append([]string{"Stage"}, c.levels...), c.themes...), c.age),
	}
	for _, p := range c.text {
		ev.Description += "<p>" + p + "</p>"
	}
	ev.Description += fmt.Sprintf("<ul><li>De %d h à %d h</li><li>Collation du matin comprise, pique-nique à apporter</li></ul>", c.from, c.until)
	ev.Tickets = append(ev.Tickets, Ticket{Name: "Semaine complète", Price: c.week, SaleStart: opens, SaleEnd: closes})
	if c.half > 0 {
		ev.Tickets = append(ev.Tickets, Ticket{Name: "Demi-journée", Description: "Les matins, de l’accueil à midi", Price: c.half, SaleStart: opens, SaleEnd: closes})
	}
	for i := range c.taken {
		first, last := firstNames[(index*5+i)%len(firstNames)], lastNames[(index*3+i)%len(lastNames)]
		ev.Attendees = append(ev.Attendees, Attendee{
			Name: first + " " + last, Email: fmt.Sprintf("famille.%d%02d@example.org", index, i), Ticket: "Semaine complète",
		})
	}
	return ev
}

var firstNames = []string{"Lina", "Noé", "Camille", "Ilyes", "Zoé", "Matteo", "Jade", "Louis", "Inès", "Arthur", "Nora", "Elias", "Juliette", "Rayan", "Manon", "Basile"}

var lastNames = []string{"Lambert", "Dubois", "El Amrani", "Renard", "Peeters", "Collard", "Yilmaz", "Servais", "Hardy", "Nguyen", "Maes", "Fontaine", "Kabongo"}
