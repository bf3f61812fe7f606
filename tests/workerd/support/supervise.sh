# Runs the given command until standard input ends, then ends the whole process group. The test
# process holds the other end of that pipe, so that nothing outlives it, however it ends.
exec 3<&0
"$@" </dev/null &
command=$!
(
    trap '' TERM
    cat <&3 >/dev/null
    kill -TERM 0
    sleep 3
    kill -KILL 0
) &
# The first wait ends at the signal, the second when the command has tidied up.
trap : TERM
wait "$command"
wait "$command"
