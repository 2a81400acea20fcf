using System.Net.Sockets;
using WebRtcIms.AppHost;

// The whole application: each resource, what it is told, and what it waits for: Redis alone until it is healthy, since the others
// take a part that is not up yet as one that is down for a while. Settings are described in the parts' READMEs.
var builder = DistributedApplication.CreateBuilder(args);

// K of RFC 7635: the authorization server encrypts the tokens with it and the TURN server decrypts them; nobody else has it.
var turnKey = builder.AddParameter("turn-key", new RandomKey(), secret: true, persist: true);
var turnKeyId = builder.AddParameter("turn-key-id");
var turnServerName = builder.AddParameter("turn-server-name");
var turnRealm = builder.AddParameter("turn-realm");
var wwsfClientSecret = builder.AddParameter(
    "wwsf-client-secret", new GenerateParameterDefault { MinLength = 43, Special = false }, secret: true, persist: true);
// What registration tokens are encrypted with, by the authorization server for the eP-CSCF; and what the eP-CSCF signs routes with.
var registrationKey = builder.AddParameter("ims-registration-key", new RandomKey(), secret: true, persist: true);
var flowTokenKey = builder.AddParameter("epcscf-flow-token-key", new RandomKey(), secret: true, persist: true);
const string registrationKeyId = "r1";
const string imsDomain = "webrtcims.local";
const string wafIdentity = "waf.webrtcims.local";

// Where other machines reach this one, if they may at all; without it everything stays on loopback.
var publicAddress = PublicAddress.Read(builder.Configuration);
var relay = publicAddress?.Ip ?? "127.0.0.1";
var turnPort = builder.Port("turn", 3478, relay);
var publicGateway = publicAddress is null ? null : new PublicGateway(publicAddress, builder.Port("wic-web", 8443, publicAddress.Ip));

var redis = builder.AddRedis("redis");

var waf = builder.AddProject<Projects.Waf>("waf")
    .WithReference(redis).WaitFor(redis)
    .WithHttpHealthCheck("/health")
    .WithEnvironment("ConnectionStrings__waf", builder.SqliteDatabase("waf"))
    .WithEnvironment("Waf__TurnServers__0__Name", turnServerName)
    .WithEnvironment("Waf__TurnServers__0__Kid", turnKeyId)
    .WithEnvironment("Waf__TurnServers__0__Key", turnKey)
    .WithEnvironment("Waf__TurnServers__0__Algorithm", "A256GCM")
    .WithEnvironment("Waf__Clients__0__ClientId", "wwsf")
    .WithEnvironment("Waf__Clients__0__ClientSecret", wwsfClientSecret)
    .WithEnvironment("Waf__Clients__0__Audiences__0", turnServerName)
    .WithEnvironment("Waf__Clients__0__Impus__0", "sip:guest-*@" + imsDomain)
    .WithEnvironment("Waf__Clients__0__Impus__1", "sip:alice@" + imsDomain)
    .WithEnvironment("Waf__Clients__0__Impus__2", "sip:bob@" + imsDomain)
    .WithEnvironment("Waf__ImsRegistration__Domain", imsDomain)
    .WithEnvironment("Waf__ImsRegistration__Identity", wafIdentity)
    .WithEnvironment("Waf__ImsRegistration__Kid", registrationKeyId)
    .WithEnvironment("Waf__ImsRegistration__Key", registrationKey);

var epCscf = builder.AddProject<Projects.EpCscf>("ep-cscf")
    .WithReference(redis).WaitFor(redis)
    .WithHttpHealthCheck("/health")
    .WithEnvironment("EpCscf__HomeDomain", imsDomain)
    .WithEnvironment("EpCscf__Waf", wafIdentity)
    .WithEnvironment("EpCscf__TokenKeys__0__Kid", registrationKeyId)
    .WithEnvironment("EpCscf__TokenKeys__0__Key", registrationKey)
    .WithEnvironment("EpCscf__FlowTokenKey", flowTokenKey);

// Its clients are known by their addresses, so nothing may stand in between (isProxied). Two of them talk through two relays, so the
// relay's own address is a peer, which a private or loopback one otherwise is not.
var turn = builder.AddProject<Projects.Turn>("turn")
    .WithEndpoint(port: turnPort, scheme: "turn", name: "udp", env: "Turn__Port", isProxied: false, isExternal: true, protocol: ProtocolType.Udp)
    .WithEndpoint(port: turnPort, scheme: "turn", name: "tcp", isProxied: false, isExternal: true, protocol: ProtocolType.Tcp)
    .WithEndpoint("udp", endpoint => endpoint.TargetHost = relay)
    .WithEndpoint("tcp", endpoint => endpoint.TargetHost = relay)
    .WithReference(redis).WaitFor(redis)
    .WithHttpHealthCheck("/health")
    .WithEnvironment("Turn__ServerName", turnServerName)
    .WithEnvironment("Turn__Realm", turnRealm)
    .WithEnvironment("Turn__Keys__0__Kid", turnKeyId)
    .WithEnvironment("Turn__Keys__0__Key", turnKey)
    .WithEnvironment("Turn__Keys__0__Algorithm", "A256GCM")
    .WithEnvironment("Turn__ListenAddress", relay)
    .WithEnvironment("Turn__AllowedPeers__0", relay + "/32");

var wwsf = builder.AddProject<Projects.Wwsf>("wwsf")
    .WithReference(waf).WaitForStart(waf)
    .WithReference(epCscf)
    .WithReference(redis).WaitFor(redis)
    .WithHttpHealthCheck("/health")
    .WithEnvironment("Wwsf__HomeDomain", imsDomain)
    .WithEnvironment("ConnectionStrings__wwsf", builder.SqliteDatabase("wwsf"))
    .WithEnvironment("Wwsf__TurnServerName", turnServerName)
    .WithEnvironment("Wwsf__TurnUris__0", "turn:" + relay + ":" + turnPort + "?transport=udp")
    .WithEnvironment("Wwsf__TurnUris__1", "turn:" + relay + ":" + turnPort + "?transport=tcp")
    .WithEnvironment("Wwsf__Waf__ClientId", "wwsf")
    .WithEnvironment("Wwsf__Waf__ClientSecret", wwsfClientSecret);

var flowView = builder.AddProject<Projects.FlowView>("flow-view")
    .WithHttpHealthCheck("/health");

var wicWeb = builder.AddProject<Projects.WicWeb>("wic-web")
    .WithReference(wwsf).WaitForStart(wwsf)
    .WithReference(epCscf).WaitForStart(epCscf)
    .WithReference(flowView)
    .WaitForStart(turn)
    .WithHttpHealthCheck("/health", endpointName: "http")
    .WithExternalHttpEndpoints();
publicGateway?.Open(wicWeb);

// Each tells FlowView what it does, besides the collector that OTEL_EXPORTER_OTLP_ENDPOINT may name; nobody waits for it.
foreach (var service in new[] { waf, epCscf, turn, wwsf, wicWeb }) service.WithEnvironment("FlowView__Endpoint", flowView.GetEndpoint("http"));

var application = builder.Build();
_ = publicGateway?.InviteAsync(application, "wic-web");
application.Run();
