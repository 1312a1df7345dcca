# What people write by hand, with the five rules of policy.toml.
case "$SSH_ORIGINAL_COMMAND" in
uptime)
	exec uptime ;;
"systemctl restart app.service" | "systemctl restart worker.service")
	exec $SSH_ORIGINAL_COMMAND ;;
"tail -n "[0-9]*" /var/log/app/"*.log)
	exec $SSH_ORIGINAL_COMMAND ;;
"borg serve")
	exec borg serve --restrict-to-path /srv/borg/host1 --append-only ;;
"deploy v"[0-9]*)
	exec /bin/true ;;
esac
printf '%s denied client=%s request=%s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "${SSH_CLIENT%% *}" "$SSH_ORIGINAL_COMMAND" >>"$0.log"
echo denied >&2
exit 77
