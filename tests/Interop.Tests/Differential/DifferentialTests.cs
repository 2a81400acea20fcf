using System.Text;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Interop.Tests.Differential;

/// <summary>
/// The same packets to Debian's coturn and to this server. <c>docs/differential.md</c> is what came of it, and every difference in it
/// has a reason; with WRITE_DIFFERENTIAL set to its path the document is written anew.
/// </summary>
public sealed class DifferentialTests
{
    [Fact]
    public async Task EveryDifferenceFromCoturn_IsExplained_AndTheDocumentIsTrue()
    {
        await using var coturn = await CoturnProcess.StartWithTokensAsync(
            RawClient.Realm, Cases.ServerName, Cases.KeyId, Cases.LongTermKey, "--user=u:p", "--user=u2:p", "--no-tls", "--no-dtls");
        await using var turn = await TurnServerProcess.StartAsync(
            ("Turn__Realm", RawClient.Realm),
            ("Turn__ServerName", Cases.ServerName),
            ("Turn__Keys__0__Kid", Cases.KeyId),
            ("Turn__Keys__0__Key", Convert.ToBase64String(Cases.LongTermKey)),
            ("Turn__StaticUsers__0__Name", "u"),
            ("Turn__StaticUsers__0__Password", "p"),
            ("Turn__StaticUsers__1__Name", "u2"),
            ("Turn__StaticUsers__1__Password", "p"),
            ("Turn__Quotas__PerClientAddress", "1000"), ("Turn__Quotas__PerUser", "1000"));

        List<string> unexplained = [];
        var document = new StringBuilder(Heading);
        foreach (var (clause, name, run, why) in Cases.List)
        {
            var (here, there) = (await AnswerAsync(turn.Port, run), await AnswerAsync(coturn.Port, run));
            if (here == there != why is null) unexplained.Add($"{clause}, {name}: Turn says {here}, coturn {there}");
            document.Append(
                System.Globalization.CultureInfo.InvariantCulture,
                $"| {clause} | {name} | {here} | {(here == there ? "the same" : there)} | {why} |\n");
        }

        if (Environment.GetEnvironmentVariable("WRITE_DIFFERENTIAL") is { Length: > 0 } path)
            await File.WriteAllTextAsync(path, document.ToString(), TestContext.Current.CancellationToken);
        Assert.True(unexplained.Count == 0, string.Join(Environment.NewLine, unexplained));
        Assert.Equal(await File.ReadAllTextAsync(DocumentPath(), TestContext.Current.CancellationToken), document.ToString());
    }

    private const string Heading = """
        # The same packets to coturn and to Turn

        `DifferentialTests` in `tests/Interop.Tests` writes this table. It sends each packet to Debian's coturn 4.6.1 and to this server,
        with the same users and keys. It fails if a difference has no reason, or if this table is out of date. Where several requests are
        needed, the answer is that to the last. "nothing": the server is silent, and answers the next request.

        | Clause | What is sent | Turn answers | coturn answers | Why they differ |
        |---|---|---|---|---|

        """;

    private static async Task<string> AnswerAsync(int port, Func<RawClient, string> run)
    {
        await using var client = new RawClient(port);
        return run(client);
    }

    private static string DocumentPath() => Repository.PathOf("docs", "differential.md");
}
