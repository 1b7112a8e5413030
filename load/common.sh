# Shared by the scripts of this folder: a published gateway in front of a trivial upstream, on free loopback ports.
# Everything started here is stopped by process id when the script ends. Sourced, not run.
# shellcheck shell=bash

readonly repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly ticks=$(getconf CLK_TCK)
work=$(mktemp -d)
pids=()

die() {
    printf '%s: %s\n' "$(basename "$0")" "$1" >&2
    exit 2
}

stop_all() {
    local pid
    for pid in "${pids[@]}"; do
        kill -TERM "$pid" 2>/dev/null || true
    done
    for pid in "${pids[@]}"; do
        wait "$pid" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap stop_all EXIT
trap 'exit 130' INT TERM

# Arguments: program=package ...
need() {
    local pair missing=()
    for pair in "$@"; do
        command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
    done
    ((${#missing[@]} == 0)) || die "missing; as root: apt-get install ${missing[*]}"
}

listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

free_port() {
    local port
    for _ in {1..50}; do
        port=$((20000 + RANDOM % 12000))
        listens "$port" || { echo "$port"; return; }
    done
    die "found no free port"
}

# Publishes the gateway unless $published names a build already.
publish() {
    if [[ -z ${published:-} ]]; then
        published=$work/gateway
        dotnet publish "$repository/src/Gateway" -c Release -o "$published" -v quiet --nologo "$@" </dev/null ||
            die "the gateway does not build"
    fi
    [[ -f $published/fencegateway.dll ]] || die "no published gateway in $published"
}

# One worker that throws the request body away and answers 204, but for the locations in $upstream_locations.
start_upstream() {
    upstream_port=$(free_port)
    mkdir -p "$work/nginx"
    cat >"$work/nginx.conf" <<NGINX
daemon off;
worker_processes 1;
error_log stderr crit;
pid $work/nginx/pid;
events { worker_connections 1024; }
http {
    access_log off;
    client_body_temp_path $work/nginx/body;
    proxy_temp_path $work/nginx/proxy;
    fastcgi_temp_path $work/nginx/fastcgi;
    uwsgi_temp_path $work/nginx/uwsgi;
    scgi_temp_path $work/nginx/scgi;
    keepalive_requests 1000000000;
    server {
        listen 127.0.0.1:$upstream_port;
        location / { return 204; }
        ${upstream_locations:-}
    }
}
NGINX
    nginx -e stderr -c "$work/nginx.conf" &
    pids+=($!)
    wait_for "the upstream" listens "$upstream_port"
}

wait_for() {
    local what=$1 tries=0
    shift
    until "$@"; do
        ((++tries < 1000)) || die "$what did not start"
        sleep 0.02
    done
}

# A Redis that keeps everything through a crash, as the grade Single asks for; sets $redis and $redis_port.
start_redis() {
    redis_port=$(free_port)
    mkdir -p "$work/redis"
    redis-server --bind 127.0.0.1 --port "$redis_port" --dir "$work/redis" --save "" --appendonly yes --appendfsync always \
        >"$work/redis.log" 2>&1 </dev/null &
    redis=$!
    pids+=("$redis")
    wait_for "Redis" redis_cli ping >"$work/redis.ping" 2>&1
}

redis_cli() { redis-cli -h 127.0.0.1 -p "$redis_port" "$@"; }

# Scripts that Redis has run so far: each is one call of the token store.
redis_calls() { redis_cli info commandstats | tr -d '\r' | awk -F'[=,]' '/^cmdstat_eval/ { sum += $2 } END { print sum + 0 }'; }

# Three routes to one service: bare, with a fencing policy, and with that and every resilience mechanism. Its limits are never reached.
# The marks are kept where $token_store says, as JSON; by default in the embedded store.
write_configuration() {
    local embedded="{ \"Provider\": \"Embedded\", \"Embedded\": { \"Path\": \"$work/tokens\" } }"
    gateway_port=$(free_port) admin_port=$(free_port)
    cat >"$work/gateway.json" <<JSON
{
  "Urls": "http://127.0.0.1:$gateway_port",
  "Serilog": { "MinimumLevel": "Warning" },
  "ReverseProxy": {
    "Routes": {
      "fenced": {
        "ClusterId": "service", "Match": { "Path": "/fenced/{id}" }, "Metadata": { "FencingPolicy": "per-id" }
      },
      "direct": { "ClusterId": "service", "Match": { "Path": "/direct/{id}" } },
      "resilient": {
        "ClusterId": "resilient", "Match": { "Path": "/resilient/{id}" }, "RateLimiterPolicy": "per-client",
        "Metadata": { "FencingPolicy": "per-id", "ResiliencePolicy": "everything" }
      }
    },
    "Clusters": {
      "service": { "Destinations": { "a": { "Address": "http://127.0.0.1:$upstream_port/" } } },
      "resilient": {
        "LoadBalancingPolicy": "ResourceHash", "Destinations": { "a": { "Address": "http://127.0.0.1:$upstream_port/" } }
      }
    }
  },
  "FenceGateway": {
    "Admin": { "Url": "http://127.0.0.1:$admin_port" },
    "TokenStore": ${token_store:-$embedded},
    "Idempotency": { "Path": "$work/answers" },
    "FencingPolicies": { "per-id": { "Resource": "things/{id}" } },
    "ResiliencePolicies": {
      "everything": {
        "CircuitBreaker": {},
        "Bulkhead": { "PermitLimit": 1000, "PerResource": { "PermitLimit": 100 }, "Adaptive": { "MinLimit": 500, "MaxLimit": 2000 } },
        "Timeouts": { "Connect": "00:00:02", "FirstByte": "00:00:10", "Idle": "00:00:30", "Total": "00:00:30" },
        "Retry": {},
        "Idempotency": {}
      }
    },
    "RateLimiterPolicies": { "per-client": { "PermitLimit": 10000000, "PartitionBy": [ "ClientAddress" ] } }
  }
}
JSON
}

start_gateway() {
    dotnet "$published/fencegateway.dll" run --config "$work/gateway.json" >"$work/gateway.log" 2>&1 </dev/null &
    gateway=$!
    pids+=("$gateway")
}

# Argument: a process, by default the gateway. Microseconds of CPU that it has used; the fields after the last ')' of stat, whose 12th
# and 13th are utime and stime.
cpu_time() {
    local stat fields
    stat=$(<"/proc/${1:-$gateway}/stat")
    read -ra fields <<<"${stat##*) }"
    echo $(((fields[11] + fields[12]) * 1000000 / ticks))
}
