using System.Net;
using System.Net.Sockets;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting.Internal;
using WebRtcIms.ServiceDefaults;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Waf.Tests;

public sealed class SettingsTests
{
    private const string ShortKey = "c2hvcnQga2V5";

    [Fact]
    [Requirement("ABUSE-84")]
    public void EveryMistake_IsInOneMessageWithItsKey()
    {
        var error = Assert.Throws<SettingsException>(() => Read(
            ("Waf:TurnServers:0:Name", ""),
            ("Waf:TurnServers:0:Kid", "k~1"),
            ("Waf:TurnServers:0:Key", ShortKey),
            ("Waf:TurnServers:0:TokenLifetime", "forever"),
            ("Waf:TurnServers:1:Algorithm", "ROT13"),
            ("Waf:TurnServers:1:TokenLifetime", "00:00:29"),
            ("Waf:TurnServers:2:Name", WafApp.SecondTurnServer),
            ("Waf:TurnServers:2:Kid", new string('k', 129)),
            ("Waf:TurnServers:2:Key", "not base64"),
            ("Waf:Clients:0:ClientSecret", "short"),
            ("Waf:Clients:1:ClientId", ""),
            ("Waf:Clients:1:Audiences:0", "nowhere"),
            ("Waf:Clients:2:ClientId", WafApp.Client),
            ("Waf:Clients:2:ClientSecret", WafApp.ClientSecret),
            ("Waf:Clients:3:ClientId", "signer"),
            ("Waf:Clients:3:Jwks", """{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}"""),
            ("Waf:Clients:3:Audiences:0", WafApp.SecondTurnServer),
            ("Waf:Clients:4:ClientId", "holder"),
            ("Waf:Clients:4:CertificateSha256", "5678"),
            ("Waf:Clients:4:Audiences:0", WafApp.SecondTurnServer),
            ("Waf:TurnServers:1:CertificateSha256", "1234"),
            ("Waf:InitialAccessTokens:0:Name", ""),
            ("Waf:InitialAccessTokens:0:Token", "a short token"),
            ("Waf:InitialAccessTokens:0:Uses", "0"),
            ("Waf:InitialAccessTokens:0:Lifetime", "00:00:00"),
            ("Waf:InitialAccessTokens:0:Scopes:0", "openid"),
            ("Waf:InitialAccessTokens:0:Impus:0", "alice"),
            ("Waf:InitialAccessTokens:0:Wwsf", "a\nb"),
            ("Waf:InitialAccessTokens:0:MaxTokenLifetime", "00:00:29"),
            ("Waf:InitialAccessTokens:0:RequestsPerMinute", "0"),
            ("Waf:AllowGetTokenRequests", "sometimes"),
            ("Waf:TokenRequestsPerMinute", "none"),
            ("Waf:Issuer", "waf.example.org"),
            ("Waf:KnownProxies:0", "gateway"),
            ("ConnectionStrings:waf", "Host=db"),
            ("ConnectionStrings:redis", "127.0.0.1:6379,nonsense=1")));

        string[] keys =
        [
            "Waf:TurnServers:0:Name", "Waf:TurnServers:0:Kid", "Waf:TurnServers:0:Key", "Waf:TurnServers:0:TokenLifetime",
            "Waf:TurnServers:1:Algorithm",
            "Waf:TurnServers:1:TokenLifetime", "Waf:TurnServers:2:Kid", "Waf:TurnServers:2:Key", "Waf:TurnServers has",
            "Waf:Clients:0:ClientSecret",
            "Waf:Clients:1:ClientId", "Waf:Clients:1:Audiences", "Waf:Clients:2:Audiences", "Waf:Clients has", "Waf:Clients:3:Jwks",
            "Waf:Clients:4:CertificateSha256", "Waf:MutualTlsAddress", "Waf:Issuer", "Waf:KnownProxies",
            "Waf:InitialAccessTokens:0:Name", "Waf:InitialAccessTokens:0:Token", "Waf:InitialAccessTokens:0:Uses",
            "Waf:InitialAccessTokens:0:Lifetime", "Waf:InitialAccessTokens:0:Scopes", "Waf:InitialAccessTokens:0:Audiences",
            "Waf:InitialAccessTokens:0:Impus", "Waf:InitialAccessTokens:0:Wwsf", "Waf:InitialAccessTokens:0:MaxTokenLifetime",
            "Waf:InitialAccessTokens:0:RequestsPerMinute",
            "Waf:TurnServers:1:CertificateSha256", "Waf:AllowGetTokenRequests", "Waf:TokenRequestsPerMinute",
            "ConnectionStrings:waf", "ConnectionStrings:redis",
        ];
        foreach (var key in keys) Assert.Single(error.Message.Split('\n'), line => line.StartsWith($"  {key} ", StringComparison.Ordinal));
        // A client for the server with the wrong name is also a problem.
        Assert.Equal(keys.Length + 2, error.Message.Split('\n').Length);
        Assert.Contains($"'{WafApp.TurnServer}'", error.Message);
        Assert.DoesNotContain(ShortKey, error.Message);
        Assert.DoesNotContain("short'", error.Message);
        Assert.DoesNotContain("a short token", error.Message);
        Assert.DoesNotContain(WafApp.ClientSecret, error.Message);
    }

    public static TheoryData<string, string, string> MutualTlsMistakes => new()
    {
        { "Waf:MutualTlsAddress", "http://waf.example.org/", "Waf:MutualTlsAddress must be an address such as https://" },
        { "Waf:MutualTlsAddress", "waf.example.org", "Waf:MutualTlsAddress must be an address such as https://" },
        { "Waf:Issuer", "", "Waf:Issuer is missing: it must not depend on" },
        { "Waf:Clients:2:CertificateSha256", "", "Waf:Clients:2:CertificateSha256 must be 64" },
        { "Waf:Clients:2:CertificateSha256", new string('a', 62), "Waf:Clients:2:CertificateSha256 must be 64" },
        { "Waf:Clients:2:CertificateSha256", new string('a', 66), "Waf:Clients:2:CertificateSha256 must be 64" },
        { "Waf:Clients:2:CertificateSha256", new string('g', 64), "Waf:Clients:2:CertificateSha256 must be 64" },
        { "Waf:Clients:2:ClientSecret", "a secret of 16 characters", "Waf:Clients:2:ClientSecret, Jwks and CertificateSha256 exclude" },
        { "Waf:Clients:2:Jwks", SignedAssertion.PublicKeys, "Waf:Clients:2:ClientSecret, Jwks and CertificateSha256 exclude" },
    };

    [Theory]
    [MemberData(nameof(MutualTlsMistakes))]
    [Requirement("ABUSE-84")]
    public void MistakeInMutualTls_IsNamed(string setting, string value, string problem)
    {
        Dictionary<string, string> settings = new()
        {
            ["Waf:Issuer"] = WafApp.Issuer,
            ["Waf:MutualTlsAddress"] = WafApp.MutualTlsAddress,
            ["Waf:Clients:2:ClientId"] = "holder",
            ["Waf:Clients:2:CertificateSha256"] = new string('A', 64),
            ["Waf:Clients:2:Audiences:0"] = WafApp.TurnServer,
        };
        var all = Settings([.. settings.Select(each => (each.Key, each.Value))]);
        Read("Production", all);
        if (setting == "Waf:Issuer") all.Remove(setting);
        else all[setting] = value;

        var error = Assert.Throws<SettingsException>(() => Read("Production", all));

        var line = Assert.Single(error.Message.Split('\n'), text => text.StartsWith("  ", StringComparison.Ordinal));
        Assert.StartsWith($"  {problem}", line);
    }

    public static TheoryData<string, string, string?> IssuersAndEnvironments => new()
    {
        { "Production", "", "Waf:Issuer must be an address" },
        { "Production", "-", "Waf:Issuer is missing: give the address" },
        { "Staging", "-", "Waf:Issuer is missing: give the address" },
        { "Production", "http://waf.example.org/", "Waf:Issuer must be an https address" },
        { "Production", "http://localhost:8081/", null },
        { "Production", "https://waf.example.org/", null },
        { "Development", "-", null },
        { "Development", "http://waf.example.org/", null },
    };

    [Theory]
    [MemberData(nameof(IssuersAndEnvironments))]
    [Requirement("SEC-22")]
    public void Issuer_IsNeededOutsideDevelopment_AndIsHttps(string environment, string issuer, string? problem)
    {
        var settings = Settings([("Waf:Issuer", issuer)]);
        if (issuer == "-") settings.Remove("Waf:Issuer");

        var error = Record.Exception(() => Read(environment, settings));

        if (problem is null) Assert.Null(error);
        else Assert.Contains($"\n  {problem}", Assert.IsType<SettingsException>(error).Message);
    }

    [Theory]
    [InlineData("Development", null, true)]
    [InlineData("Production", null, false)]
    [InlineData("Staging", null, false)]
    [InlineData("Production", "true", true)]
    [InlineData("Development", "false", false)]
    [Requirement("SEC-20")]
    [Requirement("ABUSE-87")]
    public void TokenRequestsByGet_AreServedInDevelopment_ElsewhereOnlyBySetting(string environment, string? value, bool isServed)
    {
        var settings = Settings(value is null ? [] : [("Waf:AllowGetTokenRequests", value)]);

        Assert.Equal(isServed, Read(environment, settings).AllowGetTokenRequests);
    }

    [Theory]
    [InlineData("http://*:8085", true)]
    [InlineData("http://0.0.0.0:8085", true)]
    [InlineData("https://*:8085", false)]
    [InlineData("http://127.0.0.1:8085", false)]
    [Requirement("SEC-19")]
    public void AdministrationForOtherMachines_NeedsHttps(string url, bool isRefused)
    {
        var settings = Settings(
        [
            ("Waf:Admin:Url", url), ("Waf:Admin:Operators:0:Name", "ops"), ("Waf:Admin:Operators:0:Token", new string('t', 40)),
        ]);

        Assert.Equal(isRefused, Record.Exception(() => Read("Production", settings)) is SettingsException error
            && error.Message.Contains("Waf:Admin:Url names another machine without TLS", StringComparison.Ordinal));
        Read("Development", settings);
        settings["Transport:Encryption"] = "Mesh";
        Read("Production", settings);
    }

    [Fact]
    public void NoSettings_SaysWhatIsNeeded()
    {
        var error = Assert.Throws<SettingsException>(() =>
            WafSettings.Read(new ConfigurationBuilder().Build(), new HostingEnvironment { ContentRootPath = "/srv/waf" }));

        Assert.Contains("Waf:TurnServers:0:Name", error.Message);
        Assert.Contains("Waf:Clients:0:ClientId", error.Message);
    }

    [Fact]
    public void InitialAccessToken_IsEnough_WithoutAClient()
    {
        var settings = WafApp.GoodSettings().Where(setting => !setting.Key.StartsWith("Waf:Clients", StringComparison.Ordinal)).Concat(
        [
            KeyValuePair.Create("Waf:Issuer", WafApp.Issuer),
            KeyValuePair.Create("Waf:InitialAccessTokens:0:Name", "first"),
            KeyValuePair.Create("Waf:InitialAccessTokens:0:Token", new string('t', 32)),
            KeyValuePair.Create("Waf:InitialAccessTokens:0:Audiences:0", WafApp.TurnServer),
        ]);

        var read = WafSettings.Read(new ConfigurationBuilder().AddInMemoryCollection(settings!).Build(),
            new HostingEnvironment { ContentRootPath = "/srv/waf" });

        Assert.Equal("***", read.InitialAccessTokens[0].Token.ToString());
    }

    [Theory]
    [InlineData("00:00:30", 30)]
    [InlineData("1.00:00:00", 86400)]
    public void Lifetime_HasThisRange(string text, int seconds) =>
        Assert.Equal(seconds, Read(("Waf:TurnServers:0:TokenLifetime", text)).TurnServers[0].TokenLifetime.TotalSeconds);

    [Theory]
    [InlineData("Waf:GuestTraffic:PacketsPerSecond")]
    [InlineData("Waf:UserTraffic:BytesPerSecond")]
    [Requirement("SEC-12")]
    public void TrafficBelowZero_IsRefused(string setting)
    {
        var error = Assert.Throws<SettingsException>(() => Read((setting, "-1")));

        Assert.Contains($"{setting} must be 0 (no limit) or more", error.Message);
    }

    [Theory]
    [InlineData("Waf:TurnServers:0:TokenLifetime", "00:00:29")]
    [InlineData("Waf:TurnServers:0:TokenLifetime", "1.00:00:01")]
    [InlineData("Waf:ImsRegistration:TokenLifetime", "00:00:29")]
    [InlineData("Waf:ImsRegistration:TokenLifetime", "1.00:00:01")]
    public void LifetimeOutsideTheLimitsOfTheContract_IsRefused(string setting, string value)
    {
        var error = Assert.Throws<SettingsException>(() => Read((setting, value)));

        Assert.Contains($"{setting} must be a time from 00:00:30 to 1.00:00:00", error.Message);
    }

    [Fact]
    public void UnknownSetting_IsRefused()
    {
        var error = Assert.Throws<SettingsException>(() =>
            Read(("Waf:TurnServers:0:Kdi", "k1"), ("Waf:Isuer", "https://waf.example.org/")));

        Assert.Contains("Waf:TurnServers:0:Kdi is not a setting; did you mean Waf:TurnServers:0:Kid?", error.Message);
        Assert.Contains("Waf:Isuer is not a setting; did you mean Waf:Issuer?", error.Message);
    }

    [Fact]
    public void Store_LiesUnderTheContentRootByDefault()
    {
        var store = Read().Store;

        Assert.Equal("Data Source=/srv/waf/.data/waf.db", store.ConnectionString);
        Assert.Equal("/srv/waf/.data", store.Directory);
    }

    [Fact]
    [Requirement("ABUSE-84")]
    public async Task BadSettings_StopTheProcessWithTheSentence()
    {
        var (code, output) = await RunAsync(("Waf:Clients:0:ClientSecret", "short"));

        Assert.Equal(1, code);
        Assert.StartsWith("WAF cannot start. The settings cannot be used:\n  Waf:Clients:0:ClientSecret", output);
        Assert.DoesNotContain("   at ", output);
    }

    [Fact]
    public async Task FileInTheWayOfTheStore_StopsTheProcessWithItsKey()
    {
        var file = Path.GetTempFileName();
        try
        {
            Assert.StartsWith(
                "WAF cannot start. ConnectionStrings:waf",
                (await RunAsync(("ConnectionStrings:waf", $"Data Source={file}/waf.db"))).Output);

            await File.WriteAllTextAsync(file, new string('x', 5000), TestContext.Current.CancellationToken);
            var (code, output) = await RunAsync(("ConnectionStrings:waf", $"Data Source={file}"));
            Assert.Equal(1, code);
            Assert.Contains("WAF cannot start. ConnectionStrings:waf", output);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    [Requirement("ABUSE-84")]
    public async Task KeysThatCannotBeDecrypted_StopTheProcess_AndTheMessageNamesTheSetting()
    {
        var folder = Directory.CreateTempSubdirectory("waf-tests-");
        try
        {
            var store = ("ConnectionStrings:waf", $"Data Source={folder.FullName}/waf.db;Pooling=false");
            using (var app = new WafApp().With("Waf:TurnServers:0:Key", "").With(store.Item1, store.Item2)) _ = app.Services;

            var (code, output) = await RunAsync(
                store, ("Waf:TurnServers:0:Key", ""), ("Waf:KeyDirectory", Path.Combine(folder.FullName, "others")));

            Assert.Equal(1, code);
            Assert.StartsWith(
                $"WAF cannot start. Waf:KeyDirectory: the key k1.1 in the store cannot be decrypted with the Data Protection keys in "
                + Path.Combine(folder.FullName, "others"),
                output, StringComparison.Ordinal);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task KeysThatCannotBeRead_StopTheProcess_AndTheMessageNamesTheSetting()
    {
        using var folder = new TemporaryFolder();
        var store = ("ConnectionStrings:waf", $"Data Source={folder.Path}/waf.db;Pooling=false");
        using (var app = new WafApp().With("Waf:TurnServers:0:Key", "").With(store.Item1, store.Item2))
            await app.InStoreAsync(waf => waf.Database.ExecuteSqlRawAsync("DROP TABLE \"Keys\""));

        var (code, output) = await RunAsync(store, ("Waf:TurnServers:0:Key", ""));

        Assert.Equal(1, code);
        Assert.StartsWith("WAF cannot start. ConnectionStrings:waf: the database cannot be used: ", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task KeyDirectoryThatCannotBeMade_StopsTheProcess_AndTheMessageNamesTheSetting()
    {
        var file = Path.GetTempFileName();
        var folder = Directory.CreateTempSubdirectory("waf-tests-");
        try
        {
            var (code, output) = await RunAsync(
                ("ConnectionStrings:waf", $"Data Source={folder.FullName}/waf.db"), ("Waf:TurnServers:0:Key", ""),
                ("Waf:KeyDirectory", Path.Combine(file, "keys")));

            Assert.Equal(1, code);
            Assert.StartsWith("WAF cannot start. Waf:KeyDirectory: the directory cannot be made", output, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(file);
            folder.Delete(recursive: true);
        }
    }

    [Theory]
    [InlineData("", null)]
    [InlineData("shared", "/srv/waf/shared")]
    [InlineData("/mnt/keys", "/mnt/keys")]
    public void KeyDirectory_IsBelowTheContentRoot_OrAbsolute(string value, string? expected) =>
        Assert.Equal(expected, Read(("Waf:KeyDirectory", value)).KeyDirectory);

    [Fact]
    public void TwoRingsWithTheSameKids_AreRefused()
    {
        var error = Assert.Throws<SettingsException>(() => Read(
            ("Waf:TurnServers:0:Kid", "k"), ("Waf:TurnServers:0:Key", ""), ("Waf:TurnServers:1:Kid", "k.5")));

        Assert.Contains(
            $"Waf:TurnServers: a Kid of '{WafApp.SecondTurnServer}' could be that of a key of the ring of '{WafApp.TurnServer}'",
            error.Message);
    }

    [Fact]
    public async Task PortInUse_StopsTheProcessWithTheSettingThatChangesIt()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var folder = Directory.CreateTempSubdirectory("waf-tests-");
        try
        {
            var (code, output) =
                await RunAsync(
                    ("urls", $"http://{listener.LocalEndpoint}"), ("ConnectionStrings:waf", $"Data Source={folder.FullName}/waf.db"));

            Assert.Equal(1, code);
            Assert.Contains("ASPNETCORE_URLS", output);
            Assert.Contains($"{listener.LocalEndpoint}", output);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static WafSettings Read(params (string Key, string Value)[] changes) =>
        WafSettings.Read(
            new ConfigurationBuilder().AddInMemoryCollection(Settings(changes)!)
                .Build(), new HostingEnvironment { ContentRootPath = "/srv/waf" });

    private static WafSettings Read(string environment, Dictionary<string, string> settings) => WafSettings.Read(
        new ConfigurationBuilder().AddInMemoryCollection(settings!).Build(),
        new HostingEnvironment { ContentRootPath = "/srv/waf", EnvironmentName = environment });

    private static Dictionary<string, string> Settings((string Key, string Value)[] changes)
    {
        var settings = WafApp.GoodSettings();
        settings["Waf:Issuer"] = WafApp.Issuer;
        foreach (var (key, value) in changes) settings[key] = value;
        return settings;
    }

    /// <summary>The program itself, until it ends: what it said to standard error.</summary>
    private static async Task<(int Code, string Output)> RunAsync(params (string Key, string Value)[] changes)
    {
        using var process = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo(
            "dotnet",
            [typeof(Program).Assembly.Location, "--AllowedHosts=localhost",
            .. Settings(changes).Select(setting => $"--{setting.Key}={setting.Value}")])
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
            WorkingDirectory = Path.GetTempPath(),
            // It would watch each folder below the working directory.
            Environment = { ["DOTNET_hostBuilder__reloadConfigOnChange"] = "false" },
        })!;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(TimeSpan.FromSeconds(60));
        try
        {
            _ = process.StandardOutput.ReadToEndAsync(limit.Token);
            var output = await process.StandardError.ReadToEndAsync(limit.Token);
            await process.WaitForExitAsync(limit.Token);
            return (process.ExitCode, output);
        }
        finally
        {
            if (!process.HasExited) process.Kill();
        }
    }
}
