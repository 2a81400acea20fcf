using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Tests.Common.Users;

namespace WebRtcIms.Chaos.Tests.Tokens;

/// <summary>
/// Shows tokens that must be refused to both TURN nodes and both eP-CSCF replicas, and counts those that were accepted. While the nodes
/// cannot ask Redis, some are documented to pass: a replay at the other node, once, and what was revoked meanwhile.
/// </summary>
internal sealed class Forgeries : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(6);
    // The WWSF tries again every 20 s.
    private static readonly TimeSpan SignOutLimit = TimeSpan.FromSeconds(45);

    private readonly ChaosSystem _system;
    private readonly TurnForgeries _turn;
    private readonly RegistrationForgeries _registration;
    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(2) };
    private readonly TestToken _revokedBefore;
    private readonly TestToken _revokedDuring;
    private GuestSession _endedBefore = null!;
    private GuestSession _endedDuring = null!;
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

    /// <summary>
    /// Revokes a token and ends a session, and records requests. Good tokens must be accepted, else a refusal proves nothing.
    /// </summary>
    public static async Task<Forgeries> PrepareAsync(ChaosSystem system)
    {
        var forgeries = new Forgeries(system);
        foreach (var node in system.TurnServers)
        {
            await RequireAsync(
                () => TurnForgeries.IsAcceptedAsync(node, forgeries._turn.Make()), $"TURN {node.Port} accepts no good token");
        }

        foreach (var replica in system.EpCscfs)
        {
            await RequireAsync(() => RegistrationForgeries.IsAcceptedAsync(replica, forgeries._registration.Make()),
                $"eP-CSCF {replica.Port} accepts no good token");
        }

        forgeries._before = await forgeries._turn.RecordAsync(system.TurnServers[0]);
        forgeries._again = await forgeries._turn.RecordAsync(system.TurnServers[0]);
        await RequireAsync(() => forgeries.RevokeAsync(forgeries._revokedBefore), "TURN does not confirm a revocation");
        forgeries._endedBefore = await GuestSession.BeginAsync(system.Gateway);
        forgeries._endedDuring = await GuestSession.BeginAsync(system.Gateway);
        await RequireAsync(forgeries._endedBefore.TryEndAsync, "a guest cannot sign out");
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

        foreach (var (name, token) in _registration.Wrong())
        {
            foreach (var replica in _system.EpCscfs)
                Count($"eP-CSCF {replica.Port}: {name}", await RegistrationForgeries.IsAcceptedAsync(replica, token));
        }

        foreach (var replica in _system.EpCscfs)
            Count($"eP-CSCF {replica.Port}: of a session that had ended", await _endedBefore.IsAcceptedAsync(replica));

        foreach (var node in _system.TurnServers)
            Count($"TURN {node.Port}: replayed from another port", await TurnForgeries.IsReplayedAsync(node, _before, fromItsPort: false));
    }

    /// <summary>Revokes a token and ends a session during the fault, and replays a request at the other node.</summary>
    /// <param name="hasWindow">Whether the nodes cannot ask Redis now.</param>
    public async Task ShowDuringAsync(bool hasWindow)
    {
        var isRevoked = await RevokeAsync(_revokedDuring);
        var isEnded = await _endedDuring.TryEndAsync();
        // The node that got the revocation knows it. The other one learns of it from Redis.
        foreach (var (i, node) in _system.TurnServers.Index().Where(_ => isRevoked || hasWindow))
            Count($"TURN {node.Port}: revoked meanwhile", await TurnForgeries.IsAcceptedAsync(node, _revokedDuring), hasWindow && i > 0);
        foreach (var replica in _system.EpCscfs.Where(_ => isEnded))
            Count($"eP-CSCF {replica.Port}: signed out meanwhile", await _endedDuring.IsAcceptedAsync(replica), hasWindow);
        await ReplayAsync(_before, hasWindow);
    }

    /// <summary>After the fault: what was revoked meanwhile is refused everywhere, once the request has been repeated.</summary>
    /// <param name="hasWindow">Whether Redis may have lost the requests that it knew.</param>
    public async Task ShowAfterAsync(bool hasWindow)
    {
        await RequireAsync(() => RevokeAsync(_revokedDuring), "the revocation still fails after the fault");
        foreach (var node in _system.TurnServers)
        {
            var isRefused = await UntilAsync(async () => !await TurnForgeries.IsAcceptedAsync(node, _revokedDuring), PollInterval);
            Count($"TURN {node.Port}: revoked again", !isRefused);
        }

        await ReplayAsync(_again, hasWindow);
        await ShowAsync();
    }

    /// <summary>Waits until both replicas refuse the session that ended during the fault: the WWSF tries again until they do.</summary>
    public async Task ShowSignedOutAsync()
    {
        await UntilAsync(_endedDuring.TryEndAsync, Patience);
        foreach (var replica in _system.EpCscfs)
        {
            var isRefused = await UntilAsync(async () => !await _endedDuring.IsAcceptedAsync(replica), SignOutLimit);
            Count($"eP-CSCF {replica.Port}: signed out", !isRefused);
        }
    }

    public void Dispose()
    {
        _http.Dispose();
        _endedBefore?.Dispose();
        _endedDuring?.Dispose();
    }

    private async Task ReplayAsync(RecordedRequest request, bool hasWindow) => Count(
        "replayed at the other node", await TurnForgeries.IsReplayedAsync(_system.TurnServers[1], request, fromItsPort: true), hasWindow);

    private void Count(string name, bool isAccepted, bool isAllowed = false)
    {
        Shown++;
        if (isAccepted) (isAllowed ? InWindow : Accepted).Add(name);
    }

    // No answer is a failure, as the operator sees it.
    private async Task<bool> RevokeAsync(TestToken token)
    {
        var isRevoked = false;
        await Record.ExceptionAsync(async () =>
        {
            using var answer = await _http.PostAsJsonAsync(
                new Uri(_system.TurnManagement[0], "revocations"), new { kid = token.Kid, token_id = TurnForgeries.IdOf(token) });
            isRevoked = answer.StatusCode == HttpStatusCode.NoContent;
        });
        return isRevoked;
    }

    // What is not confirmed is tried again, as its operator or user would. A command that Redis does not answer within 0.25 s fails.
    private static async Task RequireAsync(Func<Task<bool>> attempt, string problem) =>
        Assert.True(await UntilAsync(attempt, Patience), problem);

    private static async Task<bool> UntilAsync(Func<Task<bool>> condition, TimeSpan limit)
    {
        var began = Stopwatch.GetTimestamp();
        while (true)
        {
            if (await condition()) return true;
            if (Stopwatch.GetElapsedTime(began) > limit) return false;
            await Task.Delay(100, TestContext.Current.CancellationToken);
        }
    }

    /// <summary>A guest with a registration token, who signs out.</summary>
    private sealed class GuestSession(WebUser guest, string name, string token) : IDisposable
    {
        public static async Task<GuestSession> BeginAsync(Uri gateway)
        {
            var guest = await WebUser.EnterAsGuestAsync(gateway, TimeSpan.FromSeconds(3));
            var (name, token) = await guest.GetImsIdentityAsync();
            return new GuestSession(guest, name, token);
        }

        public async Task<bool> TryEndAsync() => await Record.ExceptionAsync(guest.SignOutAsync) is null;

        public Task<bool> IsAcceptedAsync(Uri replica) => RegistrationForgeries.IsAcceptedAsync(replica, token, name);

        public void Dispose() => guest.Dispose();
    }
}
