/* Reads its standard input line by line, as the runner feeds it, and adds up; the end of input ends it. */
#include "common.h"

int main(int argc, char **argv)
{
    begin(argc, argv);
    char line[100], result[100];
    long sum = 0, lines = 0;
    ready();
    while (fgets(line, sizeof line, stdin)) {
        sum = sum * 10 + atol(line);
        lines++;
        for (int i = 0; i < 40; i++) burn();
    }
    check(feof(stdin) && !ferror(stdin), "the end of the input");
    snprintf(result, sizeof result, "%ld lines give %ld", lines, sum);
    return finish(result);
}
