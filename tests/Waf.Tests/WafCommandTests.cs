using System.Net;
using System.Text.Json;
using Microsoft.Extensions.Configuration;
using WebRtcIms.Tests.Common;
using WebRtcIms.Waf.CommandLine;
using static WebRtcIms.Waf.Tests.ClientRegistrationRequest;

namespace WebRtcIms.Waf.Tests;

/// <summary>The command of operators against a running WAF.</summary>
public sealed class WafCommandTests
{
    [Theory]
    [InlineData(true, "clients", "list")]
    [InlineData(true, "help")]
    [InlineData(true, "--help")]
    [InlineData(true, "nonsense")]
    [InlineData(false)]
    [InlineData(false, "")]
    [InlineData(false, "--urls=http://localhost:1")]
    [InlineData(false, "--urls", "http://localhost:1")]
    [InlineData(false, "/urls", "http://localhost:1")]
    [InlineData(false, "urls=http://localhost:1")]
    public void Words_AreACommand_AndSettingsStartTheService(bool isCommand, params string[] args) =>
        Assert.Equal(isCommand, WafCommand.Is(args));

    [Fact]
    public async Task Clients_AreListed_Shown_AndDeleted()
    {
        using var admin = new Administration(new WafApp().WithRegistration());
        var client = (await RegisterAsync(admin.App, new() { ["client_name"] = "Our WWSF" })).Assert(HttpStatusCode.Created);

        var list = await RunAsync(admin, "clients", "list");
        Assert.Equal((0, ""), (list.Code, list.Error));
        Assert.Matches(@"^CLIENT ID +NAME +SOURCE +REGISTERED AT +INITIAL ACCESS TOKEN +SCOPES +AUDIENCES +IMPUS\n", list.Output);
        Assert.Matches(
            $@"\n{client.ClientId} +Our WWSF +registration +20\d\d-\d\d-\d\d \d\d:\d\d:\d\dZ +first +stun +turn.example.org +-\n",
            list.Output);
        Assert.Equal(4, list.Output.TrimEnd().Split('\n').Length);
        Assert.Equal(2, (await RunAsync(admin, "clients", "list", "--limit", "1")).Output.TrimEnd().Split('\n').Length);
        Assert.Contains("Our WWSF", (await RunAsync(admin, "clients", "show", client.ClientId)).Output, StringComparison.Ordinal);

        Assert.Equal((0, "The client is deleted.\n", ""), await RunAsync(admin, "clients", "delete", client.ClientId));
        Assert.Equal(
            (1, "", $"The WAF refused (404): There is no client {client.ClientId}.\n"),
            await RunAsync(admin, "clients", "show", client.ClientId));
    }

    [Fact]
    public async Task InitialAccessToken_IsPrintedOnce_AndRegisters()
    {
        using var admin = new Administration(new WafApp());

        var created = await RunAsync(
            admin, "tokens", "initial", "--uses", "2", "--name", "branch", "--lifetime", "02:00:00", "--impu", "sip:guest-*@example.org",
            "--audience", WafApp.TurnServer, "--json");

        Assert.Equal(0, created.Code);
        var token = JsonElement.Parse(created.Output).GetProperty("token").GetString();
        var client = (await RegisterAsync(admin.App, token: token)).Assert(HttpStatusCode.Created);
        Assert.Equal([WafApp.TurnServer], client.Texts("audiences"));
        Assert.Equal(["sip:guest-*@example.org"], client.Texts("impus"));
        var list = await RunAsync(admin, "tokens", "list");
        Assert.Matches(@"\nbranch +1 +", list.Output);
        Assert.DoesNotContain(token!, list.Output, StringComparison.Ordinal);
        Assert.Equal((0, "The token is ended.\n", ""), await RunAsync(admin, "tokens", "end", "branch"));
        (await RegisterAsync(admin.App, token: token)).AssertInvalidToken();
        Assert.StartsWith("NAME ", (await RunAsync(admin, "tokens", "initial")).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Keys_AreListed_Rotated_AndRevoked()
    {
        await using var redis = await RedisServer.StartAsync();
        using var admin = new Administration(WithRing().With("ConnectionStrings:redis", redis.Address));

        var rotated = await RunAsync(admin, "keys", "rotate");
        Assert.Equal((0, ""), (rotated.Code, rotated.Error));
        Assert.Matches($@"^SERVER +KID\n{WafApp.TurnServer} +{WafApp.TurnServer}\.2\n$", rotated.Output);
        Assert.Matches(
            $@"\n{WafApp.TurnServer} +{WafApp.TurnServer}\.1 +(current|retired) ", (await RunAsync(admin, "keys", "list")).Output);

        Assert.Equal((0, "The key is revoked.\n", ""), await RunAsync(admin, "keys", "revoke", $"{WafApp.TurnServer}.1"));
        Assert.DoesNotContain($"{WafApp.TurnServer}.1 ", (await RunAsync(admin, "keys", "list")).Output, StringComparison.Ordinal);
        Assert.Equal("operator", Assert.Single(await admin.AuditAsync("key.revoked")).Actor);
        Assert.Contains(
            "(404): There is no TURN server nowhere.",
            (await RunAsync(admin, "keys", "rotate", "nowhere")).Error, StringComparison.Ordinal);
        Assert.Contains(
            "(409): The key is in the settings",
            (await RunAsync(admin, "keys", "rotate", WafApp.SecondTurnServer)).Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Revocations_AndTheAudit()
    {
        await using var redis = await RedisServer.StartAsync();
        using var admin = new Administration(new WafApp().With("ConnectionStrings:redis", redis.Address));
        await using var connection = await redis.ConnectAsync();

        foreach (var words in (string[][])[["token", "k1", "AAAA"], ["client", "wwsf"], ["session", "9b0c6f"], ["all"]])
            Assert.Equal(0, (await RunAsync(admin, ["revoke", .. words])).Code);

        Assert.Equal(["all", "client:wwsf", "session:9b0c6f", "token:k1:AAAA"],
            (await connection.GetDatabase().SortedSetRangeByRankAsync("turn:revoked"))
                .Select(name => name.ToString()).Order(StringComparer.Ordinal));
        await admin.AuditAsync("all.revoked");
        var list = await RunAsync(admin, "audit", "list", "--subject", "9b0c6f", "--actor", "operator");
        Assert.Matches(
            @"^ID +AT +ACTOR +ACTION +SUBJECT +ADDRESS\n\d+ +20.{17}Z +operator +session\.revoked +9b0c6f +127\.0\.0\.1\n$", list.Output);
        Assert.Equal((0, "None.\n", ""), await RunAsync(admin, "audit", "list", "--action", "nothing"));
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("clients")]
    [InlineData("clients", "lists")]
    [InlineData("clients", "show")]
    [InlineData("clients", "list", "--limit", "many")]
    [InlineData("clients", "list", "--colour")]
    [InlineData("tokens", "initial", "--lifetime", "soon")]
    [InlineData("revoke", "token", "k1")]
    public async Task WrongWords_Are2_AndSayWhatIsWrong(params string[] words)
    {
        var (code, _, error) = await RunAsync(Configuration("http://127.0.0.1:1"), words);

        Assert.Equal(2, code);
        Assert.Contains(words[^1] is "show" or "clients" or "k1" ? "equired" : words[^1], error, StringComparison.Ordinal);
        Assert.EndsWith("'help' lists the commands.\n", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("help")]
    [InlineData("--help")]
    [InlineData("help", "tokens")]
    [InlineData("keys", "rotate", "--help")]
    public async Task Help_Is0(params string[] words)
    {
        var (code, output, error) = await RunAsync(Configuration("http://127.0.0.1:1"), words);

        Assert.Equal((0, ""), (code, error));
        Assert.Contains("Usage:", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task UnreachableWaf_Is1_AndItsAddressIsNamed()
    {
        var port = FreePorts.Tcp();

        var (code, output, error) = await RunAsync(Configuration($"http://*:{port}"), "clients", "list");

        Assert.Equal((1, ""), (code, output));
        Assert.StartsWith($"The WAF cannot be reached at http://localhost:{port}/: ", error, StringComparison.Ordinal);
        Assert.Equal(1, (await RunAsync(Configuration("http://127.0.0.1:1"), "keys", "list", "--url", $"http://127.0.0.1:{port}")).Code);
    }

    [Fact]
    public async Task Token_ComesFromTheEnvironmentOrTheSettings()
    {
        using var admin = new Administration(new WafApp()
            .With("Waf:Admin:Operators:0:Name", "anna").With("Waf:Admin:Operators:0:Token", Administration.OperatorToken));
        var url = admin.Address.ToString();

        Assert.Equal((1, "", "The WAF refused (401): The token of an operator is missing or wrong.\n"),
            await RunAsync(Configuration(url), "clients", "list"));
        Assert.Equal(0, (await RunAsync(Configuration(url, ("WAF_ADMIN_TOKEN", Administration.OperatorToken)), "clients", "list")).Code);
        Assert.Equal(0, (await RunAsync(
            Configuration(url, ("Waf:Admin:Operators:0:Token", Administration.OperatorToken)), "clients", "list")).Code);
    }

    private static WafApp WithRing() => new WafApp().With("Waf:TurnServers:0:Key", "").With("Waf:TurnServers:0:Kid", "")
        .With("Waf:TurnServers:0:KeyLeadTime", "00:00:30");

    private static Task<(int Code, string Output, string Error)> RunAsync(Administration admin, params string[] words) =>
        RunAsync(Configuration(admin.Address.ToString()), words);

    private static async Task<(int Code, string Output, string Error)> RunAsync(IConfiguration configuration, params string[] words)
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var error = new StringWriter { NewLine = "\n" };
        var code = await WafCommand.RunAsync(words, configuration, output, error);
        return (code, output.ToString(), error.ToString());
    }

    private static IConfigurationRoot Configuration(string url, params (string Name, string Value)[] settings) => new ConfigurationBuilder()
        .AddInMemoryCollection(
            [new("Waf:Admin:Url", url), .. settings.Select(setting => KeyValuePair.Create(setting.Name, (string?)setting.Value))])
        .Build();
}
