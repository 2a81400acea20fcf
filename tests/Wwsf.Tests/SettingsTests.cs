using System.Net;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Identity;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting.Internal;
using WebRtcIms.ServiceDefaults;
using WebRtcIms.Tests.Common;
using WebRtcIms.Wwsf.Settings;
using WebRtcIms.Wwsf.Stores;

namespace WebRtcIms.Wwsf.Tests;

public sealed class SettingsTests
{
    private static readonly (string, string) ClientSecret = ("Wwsf:Waf:ClientSecret", "x");

    [Theory]
    [InlineData("Development", null, true)]
    [InlineData("Development", "false", false)]
    [InlineData("Staging", null, false)]
    [InlineData("Production", null, false)]
    public void Stage_IsOnInDevelopmentOnly(string environment, string? enabled, bool isOn)
    {
        var settings = Read(
            environment, ClientSecret, ("Wwsf:EpCscf:SessionsKey", ScriptedEpCscf.Key),
            ("Wwsf:PublicOrigin:0", "https://phone.example.com"), ("Wwsf:TurnUris:0", "turn:turn.example.com"),
            ("Wwsf:Stage:Enabled", enabled ?? ""));
        Assert.Equal(isOn, settings.Stage.IsOn);
    }

    [Theory]
    [InlineData("Staging")]
    [InlineData("Production")]
    public void StageThatIsTurnedOnOutsideDevelopment_StopsTheStart(string environment)
    {
        var error = Assert.Throws<SettingsException>(() => Read(environment, ClientSecret, ("Wwsf:Stage:Enabled", "true")));
        Assert.Contains("Wwsf:Stage:Enabled can be true only in Development", error.Message);
    }

    [Fact]
    public void EveryMistake_IsInOneMessageWithItsKey()
    {
        var error = Assert.Throws<SettingsException>(() => Read("Production",
            ("Wwsf:TurnServerName", " "),
            ("Wwsf:TurnUris:0", "turn:127.0.0.1?transport=udp"),
            ("Wwsf:TurnUris:1", "stun:example.com"),
            ("Wwsf:Waf:ClientId", ""),
            ("Wwsf:SessionLifetime", "forever"),
            ("Wwsf:Limits:LoginsPerMinute", "many"),
            ("Wwsf:Limits:AnonymousSessionsPerMinute", "0"),
            ("Wwsf:Limits:TurnTokensPerMinute", "-1"),
            ("Wwsf:Limits:ImsTokensPerMinute", "0"),
            ("Wwsf:HomeDomain", "ims example"),
            ("Wwsf:Pool:Name", "guest-"),
            ("Wwsf:Pool:Size", "10001"),
            ("Wwsf:Pool:Lease", "0"),
            ("Wwsf:Pool:Quarantine", "long"),
            ("Wwsf:Pool:PerAddress", "0"),
            ("Wwsf:Pool:DisplayName", " "),
            ("Wwsf:TurnUri", "turn:turn.example.com"),
            ("Wwsf:PublicOrigin:0", "phone.example.com"),
            ("Wwsf:KnownProxies:0", "gateway"),
            ("ConnectionStrings:redis", "127.0.0.1:6379,timeout=soon"),
            ("ConnectionStrings:wwsf", "Host=db")));

        string[] keys =
        [
            "Wwsf:TurnServerName", "Wwsf:TurnUris:1", "Wwsf:Waf:ClientId", "Wwsf:Waf:ClientSecret", "Wwsf:SessionLifetime",
            "Wwsf:Limits:LoginsPerMinute", "Wwsf:Limits:AnonymousSessionsPerMinute", "Wwsf:Limits:TurnTokensPerMinute", "Wwsf:KnownProxies",
            "Wwsf:Limits:ImsTokensPerMinute", "Wwsf:HomeDomain", "Wwsf:Pool:PerAddress", "Wwsf:Pool:DisplayName", "Wwsf:TurnUri",
            "Wwsf:PublicOrigin:0",
            "Wwsf:Pool:Name", "Wwsf:Pool:Size", "Wwsf:Pool:Lease", "Wwsf:Pool:Quarantine",
            "ConnectionStrings:redis", "ConnectionStrings:wwsf",
        ];
        foreach (var key in keys) Assert.Contains($"\n  {key} ", error.Message);
        Assert.DoesNotContain("Wwsf:TurnUris:0", error.Message);
        Assert.Contains("Wwsf:TurnUri is not a setting; did you mean Wwsf:TurnUris?", error.Message);
    }

    /// <summary>Waits and sizes at both ends of what is accepted.</summary>
    [Theory]
    [InlineData("SessionLifetime", "00:01:00", "30.00:00:00", "00:00:59", "30.00:00:01")]
    [InlineData("SessionIdleTimeout", "00:05:00", "30.00:00:00", "00:04:59", "30.00:00:01")]
    [InlineData("Limits:PasswordChecks", "1", "1024", "0", "1025")]
    [InlineData("Limits:WaitingPasswordChecks", "1", "100000", "0", "100001")]
    [InlineData("Pool:Lease", "00:00:01", "1.00:00:00", "00:00:00.9", "1.00:00:01")]
    [InlineData("Pool:Quarantine", "00:00:01", "1.00:00:00", "00:00:00.9", "1.00:00:01")]
    [InlineData("Pool:Size", "1", "10000", "0", "10001")]
    [InlineData("Pool:PerAddress", "1", "10000", "0", "10001")]
    [InlineData("Pool:Unregistered", "1", "10000", "0", "10001")]
    [InlineData("Pool:RegisterWithin", "00:00:05", "01:00:00", "00:00:04", "01:00:01")]
    [InlineData("Limits:LoginsPerMinute", "1", "2147483647", "0", "2147483648")]
    [InlineData("Limits:AnonymousSessionsPerMinute", "1", "2147483647", "0", "2147483648")]
    [InlineData("Limits:TurnTokensPerMinute", "1", "2147483647", "0", "2147483648")]
    [InlineData("Limits:ImsTokensPerMinute", "1", "2147483647", "0", "2147483648")]
    public void Range_IsAcceptedAtBothEndsAndNotBeyond(string setting, string min, string max, string tooSmall, string tooLarge)
    {
        foreach (var value in (string[])[min, max]) Assert.NotNull(Read("Development", ClientSecret, ("Wwsf:" + setting, value)));
        foreach (var value in (string[])[tooSmall, tooLarge])
        {
            var error = Assert.Throws<SettingsException>(() => Read("Development", ClientSecret, ("Wwsf:" + setting, value)));
            Assert.Contains($"\n  Wwsf:{setting} ", error.Message);
        }
    }

    [Fact]
    [Requirement("EXP-43")]
    public void MissingSecret_NamesTheOtherWays()
    {
        var error = Assert.Throws<SettingsException>(() => Read("Development"));
        foreach (var way in (string[])["Wwsf:Waf:ClientSecret is missing", "Wwsf:Waf:KeyFile", "Wwsf:Waf:InitialAccessToken"])
            Assert.Contains(way, error.Message);
    }

    [Fact]
    public void Secrets_AreNeverInTheMessage()
    {
        var error = Assert.Throws<SettingsException>(() => Read(
            "Development",
            ("Wwsf:Waf:ClientSecret", "hidden-1"), ("Wwsf:Waf:KeyFile", "/no/such/file"),
            ("Wwsf:OpenIdConnect:ClientSecret", "hidden-2"),
            ("ConnectionStrings:wwsf", "Host=db;Password=hidden-3"),
            ("ConnectionStrings:redis", "db:6379,password=hidden-4,timeout=soon")));
        Assert.DoesNotContain("hidden", error.Message);
    }

    [Fact]
    public void KeyForTheWaf_IsAPrivateKeyWithAnIssuer_AndTakesThePlaceOfTheSecret()
    {
        var file = Path.GetTempFileName();
        try
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            File.WriteAllText(file, key.ExportSubjectPublicKeyInfoPem());
            var error = Assert.Throws<SettingsException>(() => Read("Development", ClientSecret, ("Wwsf:Waf:KeyFile", file)));
            foreach (var setting in (string[])["Wwsf:Waf:ClientSecret", "Wwsf:Waf:KeyFile", "Wwsf:Waf:Issuer"])
                Assert.Contains($"\n  {setting} ", error.Message);

            File.WriteAllText(file, key.ExportECPrivateKeyPem());
            var settings = Read("Development", ("Wwsf:Waf:KeyFile", file), ("Wwsf:Waf:Issuer", "https://waf.example.org/"));
            var credentials = settings.Waf.Credentials!;
            Assert.Equal((true, "https://waf.example.org/"), (credentials.Secret is null, credentials.Signing?.Issuer));
        }
        finally
        {
            File.Delete(file);
        }
    }

    /// <summary>The WAF assigns what the other settings have.</summary>
    [Theory]
    [InlineData("ClientId", "wwsf")]
    [InlineData("ClientSecret", "hidden-1")]
    [InlineData("KeyFile", "/no/such/file")]
    [InlineData("Issuer", "https://waf.example.org/")]
    public void InitialAccessToken_ExcludesTheSettingsOfAStaticClient(string setting, string value)
    {
        var token = ("Wwsf:Waf:InitialAccessToken", "hidden-2");
        var error = Assert.Throws<SettingsException>(() => Read("Development", token, ("Wwsf:Waf:" + setting, value)));

        Assert.Contains($"\n  Wwsf:Waf:{setting} and Wwsf:Waf:InitialAccessToken exclude each other", error.Message);
        Assert.DoesNotContain("hidden", error.Message);
        Assert.True(Read("Development", token).Waf.RegistersItself);
        Assert.False(Read("Development", ClientSecret, ("Wwsf:Waf:InitialAccessToken", "")).Waf.RegistersItself);
    }

    [Fact]
    public void TurnUris_HaveADefaultInDevelopmentOnly()
    {
        Assert.Equal(2, Read("Development", ClientSecret).TurnUris.Count);
        Assert.Contains("Wwsf:TurnUris:0", Assert.Throws<SettingsException>(() => Read("Production", ClientSecret)).Message);
    }

    [Fact]
    [Requirement("SEC-10")]
    public void PublicOrigin_IsRequiredOutsideDevelopment()
    {
        Assert.Empty(Read("Development", ClientSecret).PublicOrigin);
        foreach (var environment in (string[])["Production", "Staging"])
        {
            var error = Assert.Throws<SettingsException>(() => Read(environment, ClientSecret));
            Assert.Contains("\n  Wwsf:PublicOrigin:0 is missing; give an origin such as https://phone.example.com", error.Message);
        }
    }

    [Theory]
    [InlineData("https://phone.example.com", true)]
    [InlineData("https://phone.example.com:8443/", true)]
    [InlineData("https://xn--bcher-kva.example", true)]
    [InlineData("https://bücher.example", true)]
    [InlineData("http://localhost:8080", true)]
    [InlineData("http://127.0.0.1:8080", true)]
    [InlineData("http://[::1]:8080", true)]
    [InlineData("http://phone.example.com", false)]
    [InlineData("http://localhost.example.com", false)]
    [InlineData("phone.example.com", false)]
    [InlineData("https://phone.example.com/page", false)]
    [InlineData("https://phone.example.com/?a=b", false)]
    [InlineData("https://phone.example.com/#a", false)]
    [InlineData("https://user@phone.example.com", false)]
    [InlineData("https://", false)]
    [InlineData("wss://phone.example.com", false)]
    [InlineData("*", false)]
    [InlineData("", false)]
    [Requirement("SEC-10")]
    public void PublicOrigin_IsHttpsOrOnThisMachine(string origin, bool isValid)
    {
        (string, string)[] settings =
        [
            ClientSecret, ("Wwsf:TurnUris:0", "turn:turn.example.com"), ("Wwsf:EpCscf:SessionsKey", ScriptedEpCscf.Key),
            ("Wwsf:PublicOrigin:0", origin),
        ];
        if (isValid)
        {
            Assert.Equal([origin], Read("Production", settings).PublicOrigin);
            return;
        }

        var error = Assert.Throws<SettingsException>(() => Read("Production", settings));
        Assert.Contains("\n  Wwsf:PublicOrigin:0 must be an origin such as https://phone.example.com", error.Message);
    }

    [Fact]
    public void Database_LiesUnderTheContentRootByDefault()
    {
        var store = Read("Development", ClientSecret).Store;

        Assert.Equal("Data Source=/srv/wwsf/.data/wwsf.db", store.ConnectionString);
        Assert.Equal("/srv/wwsf/.data", store.Directory);
    }

    [Fact]
    public async Task FileInTheWayOfTheDatabase_ASentenceWithItsKey()
    {
        var file = Path.GetTempFileName();
        try
        {
            var store = Read("Development", ClientSecret, ("ConnectionStrings:wwsf", $"Data Source={file}/wwsf.db")).Store;
            Assert.StartsWith("ConnectionStrings:wwsf", Assert.Throws<SettingsException>(() => store.CreateDirectory("keys")).Message);

            await File.WriteAllTextAsync(file, new string('x', 5000), TestContext.Current.CancellationToken);
            // EF keeps the model of the first store in a process, so it must be that of the WWSF.
            await using var services = new ServiceCollection().AddDbContext<WwsfStore>(options => options.UseSqlite($"Data Source={file}"))
                .Configure<IdentityOptions>(identity => identity.Stores.SchemaVersion = IdentitySchemaVersions.Version3)
                .BuildServiceProvider();
            var settings = Read("Development", ClientSecret, ("ConnectionStrings:wwsf", $"Data Source={file}"));
            var setup = new StoreSetup(services.GetRequiredService<IServiceScopeFactory>(), settings);
            var error = await Assert.ThrowsAsync<SettingsException>(() => setup.StartAsync(TestContext.Current.CancellationToken));
            Assert.StartsWith("ConnectionStrings:wwsf", error.Message);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Theory]
    [InlineData("Authority", "http://login.example.com", "must be an https address such as")]
    [InlineData("Authority", "login.example.com", "must be an https address such as")]
    [InlineData("Authority", "", "is missing")]
    [InlineData("ClientId", "", "is missing")]
    [InlineData("ClientSecret", "", "is missing")]
    [InlineData("UserClaim", " ", "is missing")]
    [InlineData("ImpiClaim", " ", "is missing")]
    [InlineData("DisplayNameClaim", " ", "is missing")]
    [InlineData("DisplayName", " ", "is missing")]
    public void OpenIdConnect_IsCompleteAndSafe_OrAbsent(string field, string value, string problem)
    {
        var complete = new Dictionary<string, string>
        {
            ["Authority"] = "https://login.example.com",
            ["ClientId"] = "x",
            ["ClientSecret"] = "x",
            [field] = value,
        };
        var error = Assert.Throws<SettingsException>(() => Read(
            "Development", [ClientSecret, .. complete.Select(setting => ("Wwsf:OpenIdConnect:" + setting.Key, setting.Value))]));
        Assert.Contains($"\n  Wwsf:OpenIdConnect:{field} {problem}", error.Message);
        Assert.Null(Read("Development", ClientSecret).OpenIdConnect);
    }

    [Fact]
    public async Task Health_IsHealthyWithoutTheWaf()
    {
        using var app = new WwsfApp("Production").With("services:waf:http:0", "http://127.0.0.1:9");
        using var client = app.CreateClient();

        using var health = await client.GetAsync(new Uri("/health", UriKind.Relative), TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, health.StatusCode);
        Assert.Contains("\"store\":\"Healthy\"", await health.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    [Requirement("SEC-14")]
    public void KeyOfTheEpCscf_IsRequiredOutsideDevelopment_AndLong()
    {
        Assert.Contains(
            "Wwsf:EpCscf:SessionsKey is missing", Assert.Throws<SettingsException>(() => Read("Production", ClientSecret)).Message);
        Assert.Null(Read("Development", ClientSecret).EpCscf.SessionsKey);
        foreach (var key in (string[])[new('k', 31), "hidden words of more than 32 octets"])
        {
            var message = Assert.Throws<SettingsException>(
                () => Read("Development", ClientSecret, ("Wwsf:EpCscf:SessionsKey", key))).Message;
            Assert.Contains("Wwsf:EpCscf:SessionsKey must have 32 octets or more", message);
            Assert.DoesNotContain(key, message);
        }
    }

    private static WwsfSettings Read(string environment, params (string Key, string Value)[] settings) => WwsfSettings.Read(
        new ConfigurationBuilder()
            .AddInMemoryCollection(settings.ToDictionary(setting => setting.Key, setting => (string?)setting.Value)).Build(),
        new HostingEnvironment { EnvironmentName = environment, ContentRootPath = "/srv/wwsf" });
}
