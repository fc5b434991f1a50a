/* Reads its standard input line by line, as the runner feeds it, and adds up; the end of input ends it. Argument 2 is how
 * many lines must come: they hold 1, 2, 3 and so on. */
#include "common.h"

int main(int argc, char **argv)
{
    begin(argc, argv);
    check(argc > 2, "needs argument 2: the number of lines");
    char line[100], result[100];
    long lines = 0;
    ready();
    while (fgets(line, sizeof line, stdin)) {
        lines++;
        check(atol(line) == lines && strchr(line, '\n'), "line %ld is \"%s\"", lines, line);
        for (int i = 0; i < 40; i++) burn();
    }
    check(feof(stdin) && !ferror(stdin), "the end of the input");
    check(lines == atol(argv[2]), "%ld lines came instead of %s", lines, argv[2]);
    snprintf(result, sizeof result, "%ld lines", lines);
    return finish(result);
}
