using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using WebRtcIms.Contracts;
using WebRtcIms.Tests.Common.Engine;

namespace WebRtcIms.Chaos.Tests.Tokens;

/// <summary>
/// Shows tokens that must be refused to both TURN nodes and both eP-CSCF replicas, and counts those that were accepted. While the nodes
/// cannot ask Redis, two things are documented to pass at the other node, once: a replay, and a token that was revoked meanwhile.
/// </summary>
internal sealed class Forgeries : IDisposable
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(5);

    private readonly ChaosSystem _system;
    private readonly TurnForgeries _turn;
    private readonly RegistrationForgeries _registration;
    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(2) };
    private readonly TestToken _revokedBefore;
    private readonly TestToken _revokedDuring;
    private readonly string _endedBefore = RegistrationForgeries.NewSession();
    private readonly string _endedDuring = RegistrationForgeries.NewSession();
    private RecordedRequest _before = null!;
    private RecordedRequest _again = null!;

    private Forgeries(ChaosSystem system)
    {
        _system = system;
        _turn = new TurnForgeries(Convert.FromBase64String(system.TurnKey));
        _registration = new RegistrationForgeries(Convert.FromBase64String(system.RegistrationKey));
        (_revokedBefore, _revokedDuring) = (_turn.Make(), _turn.Make());
    }

    /// <summary>How many were shown.</summary>
    public int Shown { get; private set; }

    /// <summary>Those that were accepted and must not be.</summary>
    public List<string> Accepted { get; } = [];

    /// <summary>Those that were accepted as it is documented.</summary>
    public List<string> InWindow { get; } = [];

    /// <summary>Revokes a token and ends a session, and records requests. Good tokens must be accepted, else a refusal proves nothing.</summary>
    public static async Task<Forgeries> PrepareAsync(ChaosSystem system)
    {
        var forgeries = new Forgeries(system);
        foreach (var node in system.TurnServers) Assert.True(await TurnForgeries.IsAcceptedAsync(node, forgeries._turn.Make()));
        foreach (var replica in system.EpCscfs)
            Assert.True(await RegistrationForgeries.IsAcceptedAsync(replica, forgeries._registration.Make()));
        forgeries._before = await forgeries._turn.RecordAsync(system.TurnServers[0]);
        forgeries._again = await forgeries._turn.RecordAsync(system.TurnServers[0]);
        Assert.True(await forgeries.RevokeAsync(forgeries._revokedBefore));
        Assert.True(await forgeries.EndSessionAsync(forgeries._endedBefore));
        return forgeries;
    }

    /// <summary>Shows what must always be refused to all.</summary>
    public async Task ShowAsync()
    {
        foreach (var (name, token) in _turn.Wrong().Append(("revoked", _revokedBefore)))
        {
            foreach (var node in _system.TurnServers)
                Count($"TURN {node.Port}: {name}", await TurnForgeries.IsAcceptedAsync(node, token));
        }

        foreach (var (name, token) in _registration.Wrong().Append(("of an ended session", _registration.Make(_endedBefore))))
        {
            foreach (var replica in _system.EpCscfs)
                Count($"eP-CSCF {replica.Port}: {name}", await RegistrationForgeries.IsAcceptedAsync(replica, token));
        }

        foreach (var node in _system.TurnServers)
            Count($"TURN {node.Port}: replayed from another port", await TurnForgeries.IsReplayedAsync(node, _before, fromItsPort: false));
    }

    /// <summary>Revokes a token and ends a session during the fault, and replays a request at the other node.</summary>
    /// <param name="hasWindow">Whether the nodes cannot ask Redis now.</param>
    public async Task ShowDuringAsync(bool hasWindow)
    {
        var isShared = await RevokeAsync(_revokedDuring) && !hasWindow;
        var isEnded = await EndSessionAsync(_endedDuring) && !hasWindow;
        await CountBothAsync("revoked meanwhile", _system.TurnServers, isShared,
            node => TurnForgeries.IsAcceptedAsync(node, _revokedDuring));
        await CountBothAsync("of a session that ended meanwhile", _system.EpCscfs, isEnded,
            replica => RegistrationForgeries.IsAcceptedAsync(replica, _registration.Make(_endedDuring)));
        await ReplayAsync(_before, hasWindow);
    }

    /// <summary>After the fault: what was revoked meanwhile is refused everywhere, once the request has been repeated.</summary>
    /// <param name="hasWindow">Whether Redis may have lost the requests that it knew.</param>
    public async Task ShowAfterAsync(bool hasWindow)
    {
        await UntilAsync(() => RevokeAsync(_revokedDuring));
        await UntilAsync(() => EndSessionAsync(_endedDuring));
        foreach (var node in _system.TurnServers)
        {
            await UntilAsync(async () => !await TurnForgeries.IsAcceptedAsync(node, _revokedDuring), PollInterval);
            Count($"TURN {node.Port}: revoked meanwhile", await TurnForgeries.IsAcceptedAsync(node, _revokedDuring));
        }

        foreach (var replica in _system.EpCscfs)
        {
            var token = _registration.Make(_endedDuring);
            Count($"eP-CSCF {replica.Port}: of an ended session", await RegistrationForgeries.IsAcceptedAsync(replica, token));
        }

        await ReplayAsync(_again, hasWindow);
        await ShowAsync();
    }

    public void Dispose() => _http.Dispose();

    // The first of the two got the revocation. The other one learns of it from Redis.
    private async Task CountBothAsync<T>(string name, IReadOnlyList<T> both, bool isShared, Func<T, Task<bool>> isAcceptedAsync)
    {
        Count($"{both[0]}: {name}", await isAcceptedAsync(both[0]));
        Count($"{both[1]}: {name}", await isAcceptedAsync(both[1]), isAllowed: !isShared);
    }

    private async Task ReplayAsync(RecordedRequest request, bool hasWindow) => Count(
        "replayed at the other node", await TurnForgeries.IsReplayedAsync(_system.TurnServers[1], request, fromItsPort: true), hasWindow);

    private void Count(string name, bool isAccepted, bool isAllowed = false)
    {
        Shown++;
        if (isAccepted) (isAllowed ? InWindow : Accepted).Add(name);
    }

    private async Task<bool> RevokeAsync(TestToken token)
    {
        var answer = await PostAsync(
            new Uri(_system.TurnManagement[0], "revocations"), new { kid = token.Kid, token_id = TurnForgeries.IdOf(token) });
        return answer == HttpStatusCode.NoContent;
    }

    private async Task<bool> EndSessionAsync(string session) =>
        await PostAsync(new Uri(_system.EpCscfs[0], "sessions/end"), new { sid = session }) == HttpStatusCode.NoContent;

    // No answer is a failure, as the caller sees it.
    private async Task<HttpStatusCode> PostAsync(Uri address, object body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, address) { Content = JsonContent.Create(body) };
        request.Headers.Authorization = new AuthenticationHeaderValue(
            "Bearer", SessionsToken.Create(_system.SessionsKey, TimeProvider.System.GetUtcNow()));
        var status = HttpStatusCode.ServiceUnavailable;
        await Record.ExceptionAsync(async () =>
        {
            using var answer = await _http.SendAsync(request);
            status = answer.StatusCode;
        });
        return status;
    }

    private static async Task UntilAsync(Func<Task<bool>> condition, TimeSpan? limit = null)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        end.CancelAfter(limit ?? TimeSpan.FromSeconds(20));
        while (!await condition() && !end.IsCancellationRequested) await Task.Delay(100);
    }
}
