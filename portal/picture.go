package portal

import (
	"strings"

	"ribambelle/internal/camp"
)

// pictures are the drawings of partial/picture.html with the beginnings of words that call for them, in order: the
// first that a theme, then the name, holds wins. Themes are words of the commune's own, so a list of names would miss.
var pictures = []struct {
	name  string
	words []string
}{
	{"cirque", []string{"cirque", "jongl", "acrobat", "clown"}},
	{"theatre", []string{"theatre", "impro", "scene", "marionnette", "spectacle", "danse"}},
	{"musique", []string{"musique", "chant", "music", "percussion", "chorale"}},
	{"cuisine", []string{"cuisine", "patiss", "gourmand", "chef", "gout"}},
	{"numerique", []string{"numerique", "robot", "code", "informatique", "jeux-video", "multimedia", "techno"}},
	{"science", []string{"science", "chimi", "experience", "espace", "astronom", "labo"}},
	{"eau", []string{"eau", "natation", "piscine", "kayak", "voile", "nautique", "mer"}},
	{"art", []string{"art", "atelier", "peinture", "dessin", "bricol", "creati", "poterie", "couture", "photo", "manuel"}},
	{"nature", []string{"nature", "foret", "bois", "jardin", "ferme", "animau", "explor", "environnement", "cabane", "poney", "equit"}},
	{"sport", []string{"sport", "foot", "basket", "tennis", "velo", "multisport", "gym", "escalade", "judo", "danse"}},
	{"contes", []string{"conte", "lecture", "livre", "histoire", "eveil", "magie", "langue", "anglais", "neerlandais"}},
}

// picture returns the drawing for a camp; "" is the commune's own.
func picture(themes []string, name string) string {
	for _, text := range append([]string{name}, themes...) {
		words := strings.Split(camp.Slug(text), "-")
		for _, p := range pictures {
			for _, w := range words {
				for _, begin := range p.words {
					if strings.HasPrefix(w, begin) {
						return p.name
					}
				}
			}
		}
	}
	return ""
}
