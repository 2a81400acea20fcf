using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.AppHost.Tests;

/// <summary>Reads the model without running it: the Redis, the databases, and the texts of the dashboard.</summary>
public sealed class ModelTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("webrtcims-apphost-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData(new string[0], "GarnetResource")]
    [InlineData(new[] { "--redis=garnet" }, "GarnetResource")]
    [InlineData(new[] { "--redis=container" }, "RedisResource")]
    [InlineData(new[] { "--ConnectionStrings:redis=10.1.2.3:6379,password=secret" }, "ConnectionStringParameterResource")]
    public async Task Redis_IsTheOneThatTheSettingsName_AndItsClientsReferToItAlike(string[] arguments, string kind)
    {
        var model = await ModelAsync(arguments);
        var redis = model.Resources.Single(resource => resource.Name == "redis");

        Assert.Equal(kind, redis.GetType().Name);
        foreach (var service in new[] { "turn", "waf", "ep-cscf", "wwsf" })
        {
            var references =
                model.Resources.Single(resource => resource.Name == service).Annotations.OfType<ResourceRelationshipAnnotation>();
            Assert.Contains(references, reference => reference.Resource.Name == "redis" && reference.Type == "Reference");
        }
    }

    [Fact]
    public async Task Garnet_GivesTheConnectionStringAndPropertiesOfAspiresRedis()
    {
        var garnet = (IResourceWithConnectionString)(await ModelAsync()).Resources.Single(resource => resource.Name == "redis");
        var redis =
            (IResourceWithConnectionString)(await ModelAsync("--redis=container")).Resources.Single(resource => resource.Name == "redis");

        Assert.Equal(
            redis.GetConnectionProperties().Select(property => property.Key).Order(),
            garnet.GetConnectionProperties().Select(property => property.Key).Order());
        Assert.Equal("{redis.bindings.tcp.host}:{redis.bindings.tcp.port},password={redis-password.value}",
            garnet.ConnectionStringExpression.ValueExpression);
        Assert.StartsWith(garnet.ConnectionStringExpression.ValueExpression, redis.ConnectionStringExpression.ValueExpression,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("turn", "Turn", "Waf__TurnServers__0", "Turn__Keys__")]
    [InlineData("ep-cscf", "EpCscf", "Waf__ImsRegistration", "EpCscf__TokenKeys__")]
    [Requirement("RFC7635-4.1.1")]
    public async Task ServiceFetchesItsKeysFromTheWaf_AndEachKnowsTheOthersCertificate(
        string service, string section, string wafSection, string staticKeys)
    {
        var waf = await EnvironmentAsync("waf");
        var other = await EnvironmentAsync(service);
        var wwsf = await EnvironmentAsync("wwsf");

        Assert.Equal("{waf.bindings.keys.url}", other[$"{section}__KeyDelivery__Address"]);
        Assert.Equal(waf["Kestrel__Certificates__Default__Path"], other[$"{section}__KeyDelivery__Authority"]);
        using var ofWaf = X509Certificate2.CreateFromPemFile(
            waf["Kestrel__Certificates__Default__Path"], waf["Kestrel__Certificates__Default__KeyPath"]);
        using var ofService = X509Certificate2.CreateFromPemFile(
            other[$"{section}__KeyDelivery__Certificate"], other[$"{section}__KeyDelivery__CertificateKey"]);
        Assert.True(ofWaf.MatchesHostname("localhost"));
        Assert.Equal(waf[$"{wafSection}__CertificateSha256"], ofService.GetCertHashString(HashAlgorithmName.SHA256));

        // The keys are the WAF's own.
        Assert.DoesNotContain($"{wafSection}__Key", waf.Keys);
        Assert.DoesNotContain(other.Keys, name => name.StartsWith(staticKeys, StringComparison.Ordinal));

        // Other clients do not trust the certificate, so they must not find the endpoint.
        Assert.Equal(["services__waf__http__0"], wwsf.Keys.Where(name => name.StartsWith("services__waf__", StringComparison.Ordinal)));
        if (!OperatingSystem.IsWindows())
        {
            foreach (var key in new[] { waf["Kestrel__Certificates__Default__KeyPath"], other[$"{section}__KeyDelivery__CertificateKey"] })
                Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(key));
        }
    }

    [Fact]
    [Requirement("SEC-14")]
    public async Task WwsfAndEpCscf_ShareAKeyThatIsGeneratedAndSecret()
    {
        var wwsf = await EnvironmentAsync("wwsf");

        Assert.Equal("{epcscf-sessions-key.value}", wwsf["Wwsf__EpCscf__SessionsKey"]);
        Assert.Equal(wwsf["Wwsf__EpCscf__SessionsKey"], (await EnvironmentAsync("ep-cscf"))["EpCscf__SessionsKeys__0"]);
        Assert.Contains("services__ep-cscf__http__0", wwsf.Keys);
        var parameter = (await ModelAsync()).Resources.OfType<ParameterResource>()
            .Single(resource => resource.Name == "epcscf-sessions-key");
        Assert.True(parameter.Secret);
        Assert.Equal(32, Convert.FromBase64String(parameter.Default!.GetDefaultValue()).Length);
    }

    [Theory]
    [InlineData]
    [InlineData("--public-address=127.0.0.1")]
    [Requirement("SEC-13")]
    public async Task TurnServer_OpensNoAddressOfThisMachine(params string[] arguments)
    {
        var turn = await EnvironmentAsync("turn", arguments);

        Assert.Contains("Turn__ListenAddress", turn.Keys);
        Assert.DoesNotContain("Turn__PeerPolicy", turn.Keys);
        Assert.DoesNotContain(turn.Keys, name => name.StartsWith("Turn__AllowedPeers", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("waf")]
    [InlineData("wwsf")]
    public async Task Store_IsASqliteFileInTheDataDirectory(string service) =>
        Assert.Equal($"Data Source={Path.Combine(_folder.FullName, $"{service}.db")}",
            (await EnvironmentAsync(service))[$"ConnectionStrings__{service}"]);

    [Theory]
    [InlineData("waf")]
    [InlineData("wwsf")]
    public async Task Store_IsThePostgresContainer_WhenAskedFor(string service) =>
        Assert.Equal($"{{{service}-store.connectionString}}",
            (await EnvironmentAsync(service, "--stores=postgres"))[$"ConnectionStrings__{service}"]);

    [Theory]
    [InlineData("waf")]
    [InlineData("wwsf")]
    public async Task Store_IsTheServerOfTheConnectionString(string service)
    {
        var environment = await EnvironmentAsync(service, $"--ConnectionStrings:{service}=Host=db;Database={service}");

        Assert.Equal($"{{{service}-store.value}}", environment[$"ConnectionStrings__{service}"]);
    }

    [Fact]
    public async Task EveryCommand_HasAnIconAndADescription_AndThoseThatHurtAskFirst()
    {
        var commands = (from resource in (await ModelAsync()).Resources
                        from command in resource.Annotations.OfType<ResourceCommandAnnotation>()
                        where !command.Name.StartsWith("resource-", StringComparison.Ordinal)
                        select (Name: $"{resource.Name}/{command.Name}", command))
                            .ToDictionary(entry => entry.Name, entry => entry.command);

        Assert.Equal(
            ["redis/flush", "turn/drain", "turn/resume", "turn/revoke-all-tokens", "turn/show-allocations",
            "waf/new-initial-access-token", "waf/revoke-tokens", "waf/rotate-keys", "wic-web/test-call"],
            commands.Keys.Where(name => !name.EndsWith("/rebuild", StringComparison.Ordinal)).Order());
        foreach (var name in commands.Keys.Where(name => !name.EndsWith("/rebuild", StringComparison.Ordinal)))
        {
            Assert.False(string.IsNullOrEmpty(commands[name].IconName), name);
            Assert.False(string.IsNullOrEmpty(commands[name].DisplayDescription), name);
        }

        foreach (var name in new[] { "redis/flush", "turn/drain", "turn/revoke-all-tokens", "waf/revoke-tokens" })
            Assert.False(string.IsNullOrEmpty(commands[name].ConfirmationMessage), name);
    }

    /// <summary>Only this machine reaches it, and no service gets its address.</summary>
    [Fact]
    public async Task AdministrationOfTheWaf_HasAPortOfItsOwn_WhichNoServiceRefersTo()
    {
        var waf = (await ModelAsync()).Resources.OfType<ProjectResource>().Single(resource => resource.Name == "waf");
        var endpoint = waf.Annotations.OfType<EndpointAnnotation>().Single(endpoint => endpoint.Name == "admin");

        Assert.Equal(("http", "localhost", false, true),
            (endpoint.UriScheme, endpoint.TargetHost, endpoint.IsExternal, endpoint.ExcludeReferenceEndpoint));
        Assert.DoesNotContain((await EnvironmentAsync("wwsf")).Keys, name => name.Contains("admin", StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    [Requirement("SEC-10")]
    public async Task Wwsf_KnowsWhereTheBrowsersHaveThePage()
    {
        var here = await EnvironmentAsync("wwsf");
        Assert.Equal("{wic-web.bindings.http.url}", here["Wwsf__PublicOrigin__0"]);
        Assert.DoesNotContain("Wwsf__PublicOrigin__1", here.Keys);

        var room = await EnvironmentAsync("wwsf", "--Parameters:public-address=127.0.0.2", "--wic-web-port=18443");
        Assert.Equal("{wic-web.bindings.http.url}", room["Wwsf__PublicOrigin__0"]);
        Assert.Equal("https://127.0.0.2:18443", room["Wwsf__PublicOrigin__1"]);
    }

    [Theory]
    [InlineData(null, "Development")]
    [InlineData("Production", "Production")]
    [Requirement("SEC-24")]
    public async Task Services_RunInTheEnvironmentOfTheAppHost(string? environment, string expected)
    {
        string[] arguments = environment is null ? [] : [$"--environment={environment}"];
        foreach (var service in new[] { "turn", "waf", "ep-cscf", "wwsf", "flow-view", "wic-web" })
        {
            var variables = await EnvironmentAsync(service, arguments);
            Assert.Equal((expected, expected), (variables["DOTNET_ENVIRONMENT"], variables["ASPNETCORE_ENVIRONMENT"]));
        }
    }

    /// <summary>Outside Development the settings files have no subscribers, and the eP-CSCF does not start without any.</summary>
    [Fact]
    public async Task EpCscf_KnowsTheGuestsOfTheWwsf()
    {
        var epCscf = await EnvironmentAsync("ep-cscf", "--environment=Production");

        Assert.Equal(
            ("guest", "50", "Guest", "waf.webrtcims.local", "wwsf"),
            (Pool("Name"), Pool("Size"), Pool("DisplayName"), Pool("AllowedWafs__0"), Pool("AllowedWwsfs__0")));

        string Pool(string name) => epCscf[$"EpCscf__Pools__0__{name}"];
    }

    /// <summary>Outside Development a service does not start without it.</summary>
    [Theory]
    [InlineData("Development")]
    [InlineData("Production")]
    [Requirement("SEC-21")]
    public async Task Services_AnswerForTheNamesOfThisMachine(string environment)
    {
        foreach (var service in new[] { "turn", "waf", "ep-cscf", "wwsf", "flow-view", "wic-web" })
        {
            var variables = await EnvironmentAsync(service, $"--environment={environment}");
            Assert.Equal((service, "localhost;127.0.0.1"), (service, variables.GetValueOrDefault("AllowedHosts")));
        }
    }

    [Theory]
    [InlineData(1, 1, "turn")]
    [InlineData(2, 2, "turn,turn-2", "--replicas=2")]
    [InlineData(3, 3, "turn,turn-2,turn-3", "--replicas=3")]
    [InlineData(2, 1, "turn,turn-2", "--replicas=2", "--Parameters:public-address=127.0.0.2")]
    public async Task Replicas_AreThoseOfTheSetting(int replicas, int gateways, string turn, params string[] arguments)
    {
        var parts = (await ModelAsync(arguments)).Resources.OfType<ProjectResource>().ToList();

        foreach (var part in parts)
        {
            var expected = part.Name is "waf" or "wwsf" or "ep-cscf" ? replicas : part.Name == "wic-web" ? gateways : 1;
            Assert.Equal((part.Name, expected), (part.Name, part.GetReplicaCount()));
        }

        Assert.Equal(turn.Split(','), parts.Select(part => part.Name).Where(name => name.StartsWith("turn", StringComparison.Ordinal)));
    }

    /// <summary>They differ in their ports only, and browsers get the addresses of both.</summary>
    [Fact]
    public async Task TurnServers_AreOneFleet()
    {
        // The tests of Aspire ask for free ports.
        string[] arguments = ["--replicas=2", "--turn-port=34780", "--DcpPublisher:RandomizePorts=false"];
        var servers = (await ModelAsync(arguments)).Resources.OfType<ProjectResource>().Where(part => part.Name is "turn" or "turn-2");
        var (one, other) = (await EnvironmentAsync("turn", arguments), await EnvironmentAsync("turn-2", arguments));
        var wwsf = await EnvironmentAsync("wwsf", arguments);

        Assert.Equal([34780, 34780, 34781, 34781], servers.SelectMany(PortsOf));
        Assert.Equal("{turn-fleet-key.value}", one["Turn__FleetKey"]);
        Assert.Equal("turn", other["OTEL_SERVICE_NAME"]);
        Assert.Equal(SharedOf(one), SharedOf(other));
        Assert.Equal(
            ["turn:127.0.0.1:34780?transport=udp", "turn:127.0.0.1:34780?transport=tcp", "turn:127.0.0.1:34781?transport=udp",
                "turn:127.0.0.1:34781?transport=tcp"],
            Enumerable.Range(0, 4).Select(number => wwsf[$"Wwsf__TurnUris__{number}"]));
        Assert.Equal("{turn-2.bindings.http.url}", wwsf["Wwsf__Stage__TurnManagement__1"]);

        // Alone it needs no key of a fleet.
        Assert.DoesNotContain("Turn__FleetKey", (await EnvironmentAsync("turn")).Keys);

        static IEnumerable<(string, string)> SharedOf(Dictionary<string, string> environment) =>
            from setting in environment
            where setting.Key.StartsWith("Turn__", StringComparison.Ordinal) && setting.Key != "Turn__Port"
            orderby setting.Key
            select (setting.Key, setting.Value);

        static IEnumerable<int?> PortsOf(ProjectResource server) =>
            from endpoint in server.Annotations.OfType<EndpointAnnotation>()
            where endpoint.UriScheme == "turn"
            select endpoint.Port;
    }

    [Fact]
    public async Task EveryParameter_HasADescription()
    {
        var parameters = (await ModelAsync("--replicas=2")).Resources.OfType<ParameterResource>()
            .Where(parameter => !parameter.Name.EndsWith("-password", StringComparison.Ordinal)).ToList();

        Assert.NotEmpty(parameters);
        Assert.All(parameters, parameter => Assert.False(string.IsNullOrEmpty(parameter.Description), parameter.Name));
    }

    private async Task<Dictionary<string, string>> EnvironmentAsync(string service, params string[] arguments)
    {
        var resource = (await ModelAsync(arguments)).Resources.OfType<ProjectResource>().Single(resource => resource.Name == service);
        var configuration = await ExecutionConfigurationBuilder.Create(resource).WithEnvironmentVariablesConfig().BuildAsync(
            new DistributedApplicationExecutionContext(DistributedApplicationOperation.Publish), NullLogger.Instance,
            TestContext.Current.CancellationToken);
        return configuration.EnvironmentVariables.ToDictionary();
    }

    private Task<IDistributedApplicationTestingBuilder> ModelAsync(params string[] arguments) =>
        DistributedApplicationTestingBuilder.CreateAsync<Projects.AppHost>(
        [$"--data-directory={_folder.FullName}", .. arguments], TestContext.Current.CancellationToken);
}
