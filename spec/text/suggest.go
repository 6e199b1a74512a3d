package text

import "strings"

// Suggest returns the candidate that a misspelt word most likely means, never the word itself; "" if none is close.
func Suggest(word string, candidates []string) string {
	if len(word) > 40 {
		return ""
	}
	best, limit := "", max(2, len(word)/3)
	if local := strings.IndexByte(word, '@'); local > 0 {
		limit = max(1, local/3) // what is after it most addresses of an organization share
	}
	for _, c := range candidates {
		if c == word {
			continue
		}
		if strings.EqualFold(word, c) {
			return c
		}
		if d := Distance(strings.ToLower(word), strings.ToLower(c), limit); d <= limit && d < len(c) {
			best, limit = c, d-1
		}
	}
	return best
}

// Distance is the Levenshtein distance, in bytes, or anything over a limit if it is over that.
func Distance(a, b string, limit int) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		least := row[0]
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
			least = min(least, row[j+1])
		}
		if least > limit { // it becomes no less
			return least
		}
	}
	return row[len(b)]
}
