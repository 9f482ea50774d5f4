#!/bin/sh
# Procountor's flows by hand, with curl, as the vendor's pages describe them:
#
#     foreign_client.sh legacy|authorization-code|client-credentials|key
#
# The credentials are in the environment, in the variables that `procountor-auth sandbox` prints. What sessioninfo
# answered is printed as JSON. Secrets reach curl through its configuration on standard input, never as arguments,
# which other users of the machine could read.
set -eu

host=${PROCOUNTOR_BASE_URL%/}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cookies=$folder/cookies
headers=$folder/headers
answer=$folder/answer

fail() {
    echo "foreign_client.sh: $1" >&2
    exit 1
}

# option NAME VALUE: one line of curl's configuration.
option() {
    printf '%s = "%s"\n' "$1" "$(printf '%s' "$2" | sed 's/[\\"]/\\&/g')"
}

# request URL [FIELD=VALUE ...]: GET, or POST when there are fields. Leaves the answer in $status, $headers and $answer.
request() {
    url=$1
    shift
    {
        option url "$url"
        [ -z "${token-}" ] || option header "Authorization: Bearer $token"
        for field; do
            option data-urlencode "$field"
        done
    } | curl --disable --config - ${as_query:+--get} --silent --show-error --max-time 20 --cookie "$cookies" \
        --cookie-jar "$cookies" --dump-header "$headers" --output "$answer" --write-out '%{http_code}' >"$folder/status"
    status=$(cat "$folder/status")
}

expect() {
    [ "$status" = "$1" ] || fail "$2 answered $status, not $1"
}

# json NAME: the string with this name in the answer.
json() {
    tr -d '\r\n' <"$answer" | sed -n 's/.*"'"$1"'" *: *"\([^"]*\)".*/\1/p'
}

# location NAME: the parameter with this name in the answer's Location, which need not be a URL.
location() {
    tr -d '\r' <"$headers" | sed -n 's/^[Ll]ocation: *//p' | tr '?' '&' | tr '&' '\n' | sed -n "s/^$1=//p"
}

# hidden: the names and values of the hidden fields of the form in the answer, one a line.
hidden() {
    tr -d '\r\n' <"$answer" | tr '>' '\n' | grep '<input.*type="hidden"' | while read -r input; do
        name=$(printf '%s' "$input" | sed 's/.* name="\([^"]*\)".*/\1/')
        value=$(printf '%s' "$input" | sed 's/.* value="\([^"]*\)".*/\1/')
        printf '%s=%s\n' "$name" "$value"
    done | sed "s/&#39;/'/g; s/&#34;/\"/g; s/&lt;/</g; s/&gt;/>/g; s/&amp;/\&/g"
}

# submit URL [FIELD=VALUE ...]: send the form in the answer, its hidden fields included.
submit() {
    page=$1
    shift
    hidden >"$folder/hidden"
    while read -r field; do
        set -- "$@" "$field"
    done <"$folder/hidden"
    request "$page" "$@"
}

# by_login PAGE: what a person does at HOST/login or HOST/keylogin. Sets code.
by_login() {
    sent=$(new_state)
    as_query=yes
    request "$host/$1" "response_type=code" "client_id=$PROCOUNTOR_CLIENT_ID" \
        "redirect_uri=$PROCOUNTOR_REDIRECT_URI" "state=$sent"
    as_query=
    expect 200 "$1"
    submit "$host/$1" "username=$PROCOUNTOR_USERNAME" "password=$PROCOUNTOR_PASSWORD"
    # The page with the companies is only shown to a user who has several.
    if [ "$status" = 200 ]; then
        submit "$host/$1" "company=$PROCOUNTOR_COMPANY"
    fi
    take_code "$1"
}

# take_code STEP: check the redirect in the answer, and set code.
take_code() {
    case $status in
    302 | 303) ;;
    *) fail "$1 answered $status, not a redirect" ;;
    esac
    [ "$(location state)" = "$sent" ] || fail "the state did not come back"
    code=$(location code)
    [ -n "$code" ] || fail "there is no code in the redirect"
}

new_state() {
    od -An -N16 -tx1 /dev/urandom | tr -d ' \n'
}

# exchange ENDPOINT GRANT_TYPE FIELD=VALUE: ask oauth/token or oauth/key.
exchange() {
    request "$host/api/oauth/$1" "grant_type=$2" "$3" "redirect_uri=$PROCOUNTOR_REDIRECT_URI" \
        "client_id=$PROCOUNTOR_CLIENT_ID" "client_secret=$PROCOUNTOR_CLIENT_SECRET"
    expect 200 "oauth/$1"
}

case ${1-} in
legacy)
    sent=$(new_state)
    request "$host/api/oauth/authz?response_type=code&client_id=$PROCOUNTOR_CLIENT_ID&state=$sent" \
        "response_type=code" "username=$PROCOUNTOR_USERNAME" "password=$PROCOUNTOR_PASSWORD" \
        "company=$PROCOUNTOR_COMPANY" "redirect_uri=$PROCOUNTOR_REDIRECT_URI"
    take_code oauth/authz
    exchange token authorization_code "code=$code"
    exchange token refresh_token "refresh_token=$(json refresh_token)"
    ;;
authorization-code)
    by_login login
    exchange token authorization_code "code=$code"
    exchange token refresh_token "refresh_token=$(json refresh_token)"
    ;;
client-credentials)
    exchange token client_credentials "api_key=$PROCOUNTOR_API_KEY"
    ;;
key)
    by_login keylogin
    exchange key authorization_code "code=$code"
    exchange token client_credentials "api_key=$(json api_key)"
    ;;
*)
    echo "usage: foreign_client.sh legacy|authorization-code|client-credentials|key" >&2
    exit 2
    ;;
esac

token=$(json access_token)
[ -n "$token" ] || fail "there is no access token in the answer"
request "$host/api/sessioninfo"
expect 200 sessioninfo
cat "$answer"
