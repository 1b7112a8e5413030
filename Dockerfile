# syntax=docker/dockerfile:1
#
# docker build -t fencegateway .
# docker run -p 8080:8080 -p 127.0.0.1:8081:8081 -v ./gateway.json:/etc/fencegateway/gateway.json:ro -v fencegateway:/var/lib/fencegateway fencegateway
#
# The bases are pinned by version tag. Whoever has a registry at hand pins the digests as well: tag@sha256:…

FROM mcr.microsoft.com/dotnet/sdk:10.0.401 AS build
WORKDIR /source
ENV DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1

# Only what restore reads, so that a change of code keeps this layer.
COPY global.json Directory.Build.props Directory.Packages.props ./
COPY src/Fencing/Fencing.csproj src/Fencing/
COPY src/DurableLog/DurableLog.csproj src/DurableLog/
COPY src/Idempotency/Idempotency.csproj src/Idempotency/
COPY src/Replication/Replication.csproj src/Replication/
COPY src/TokenStore/TokenStore.csproj src/TokenStore/
COPY src/Gateway/Gateway.csproj src/Gateway/
RUN dotnet restore src/Gateway

COPY .editorconfig BannedSymbols.txt LICENSE ./
COPY config/ config/
COPY src/ src/
RUN dotnet publish src/Gateway -c Release -o /app --no-restore
# A named volume takes its owner from the folder it covers.
RUN mkdir -p /layout/var/lib/fencegateway /layout/etc/fencegateway

FROM mcr.microsoft.com/dotnet/aspnet:10.0.12 AS final
WORKDIR /app
COPY --from=build /app ./
COPY --from=build /source/LICENSE ./
COPY --from=build /source/config/gateway.json /etc/fencegateway/gateway.json
COPY --from=build --chown=$APP_UID:$APP_UID /layout/var/lib/fencegateway /var/lib/fencegateway

# The admin listener is on every address of the container, for probes come from outside of it. It has no authentication: do not
# publish 8081 beyond who may administer, and in a cluster let a network policy keep other pods away (docs/operations.md, "In a
# container"). FenceGateway__Admin__Url=http://127.0.0.1:8081 takes it back to the container's loopback; HEALTHCHECK still works.
ENV Urls=http://0.0.0.0:8080 \
    FenceGateway__Admin__Url=http://0.0.0.0:8081 \
    FenceGateway__TokenStore__Embedded__Path=/var/lib/fencegateway/tokens \
    FenceGateway__Idempotency__Path=/var/lib/fencegateway/idempotency

USER $APP_UID
VOLUME /var/lib/fencegateway
EXPOSE 8080 8081
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \
    CMD ["dotnet", "fencegateway.dll", "healthcheck", "--config", "/etc/fencegateway/gateway.json"]
ENTRYPOINT ["dotnet", "fencegateway.dll"]
CMD ["run", "--config", "/etc/fencegateway/gateway.json"]
