namespace WebRtcIms.Wwsf.Telemetry;

/// <summary>
/// Log records of log-ins and sessions, with pseudonyms of session and user and the address or /64 of the client. They never contain a
/// user name or a secret.
/// <para>
/// The names of events that only a user can cause begin with <c>audit</c>, so that all of them are kept. Strangers can cause the others
/// without end, so <c>LogRateLimit</c> bounds those and counts what it leaves out.
/// </para>
/// </summary>
internal sealed partial class AuditLog(ILogger<AuditLog> logger)
{
    private const string NoUser = "unknown";

    public void LoggedIn(string userId, string sid, string way, string address) =>
        LogLoggedIn(Pseudonym.Of(userId), Pseudonym.Of(sid), way, address);

    public void GuestBegan(string sid, string address) => LogGuestBegan(Pseudonym.Of(sid), address);

    /// <param name="sid">The session.</param>
    /// <param name="userId">Null for a guest.</param>
    /// <param name="reason">One of <see cref="EndReason"/>.</param>
    public void SessionEnded(string sid, string? userId, string reason)
    {
        if (userId is null) LogGuestEnded(Pseudonym.Of(sid), reason);
        else LogSessionEnded(Pseudonym.Of(userId), Pseudonym.Of(sid), reason);
    }

    /// <summary>A log-in was refused.</summary>
    /// <param name="userId">Null if no account was found.</param>
    /// <param name="way">The way to log in.</param>
    /// <param name="code">The code of the problem.</param>
    /// <param name="address">See <see cref="CallerAddress"/>.</param>
    public void Refused(string? userId, string way, string code, string address) =>
        LogRefused(userId is null ? NoUser : Pseudonym.Of(userId), way, code, address);

    public void RateLimited(string limit, string address) => LogRateLimited(limit, address);

    public void AccountAdded(string userId) => LogAccountAdded(Pseudonym.Of(userId));

    public void SubscriptionChanged(string userId) => LogSubscriptionChanged(Pseudonym.Of(userId));

    public void PasskeyAdded(string userId, string address) => LogPasskeyAdded(Pseudonym.Of(userId), address);

    public void PasskeyRemoved(string userId, string address) => LogPasskeyRemoved(Pseudonym.Of(userId), address);

    public void PasswordChanged(string userId, string address) => LogPasswordChanged(Pseudonym.Of(userId), address);

    [LoggerMessage(1, LogLevel.Information, "User {User} logged in by {Way} from {Address}: session {Session}", EventName = "audit.log_in")]
    private partial void LogLoggedIn(string user, string session, string way, string address);

    [LoggerMessage(2, LogLevel.Information, "Session {Session} of user {User} ended: {Reason}", EventName = "audit.session_ended")]
    private partial void LogSessionEnded(string user, string session, string reason);

    [LoggerMessage(3, LogLevel.Information, "The provider's log-in added account {User}", EventName = "audit.account_added")]
    private partial void LogAccountAdded(string user);

    [LoggerMessage(4, LogLevel.Information,
        "The provider's log-in changed the subscription of user {User}", EventName = "audit.subscription_changed")]
    private partial void LogSubscriptionChanged(string user);

    [LoggerMessage(5, LogLevel.Information, "User {User} added a passkey from {Address}", EventName = "audit.passkey_added")]
    private partial void LogPasskeyAdded(string user, string address);

    [LoggerMessage(6, LogLevel.Information, "A guest from {Address} began session {Session}", EventName = "guest.began")]
    private partial void LogGuestBegan(string session, string address);

    [LoggerMessage(7, LogLevel.Information, "Session {Session} of a guest ended: {Reason}", EventName = "guest.ended")]
    private partial void LogGuestEnded(string session, string reason);

    [LoggerMessage(8, LogLevel.Warning,
        "A log-in by {Way} from {Address} as user {User} was refused: {Code}", EventName = "log_in.refused")]
    private partial void LogRefused(string user, string way, string code, string address);

    [LoggerMessage(9, LogLevel.Warning, "A request from {Address} exceeded the limit of {Limit}", EventName = "rate_limit.refused")]
    private partial void LogRateLimited(string limit, string address);

    [LoggerMessage(10, LogLevel.Information, "User {User} removed a passkey from {Address}", EventName = "audit.passkey_removed")]
    private partial void LogPasskeyRemoved(string user, string address);

    [LoggerMessage(11, LogLevel.Information, "User {User} changed the password from {Address}", EventName = "audit.password_changed")]
    private partial void LogPasswordChanged(string user, string address);

    [LoggerMessage(12, LogLevel.Information,
        "The {Kind} of session {Session} got a TURN token under the key {Kid}, for {Seconds} s", EventName = "call.turn_token_issued")]
    public partial void LogTurnTokenIssued(string kind, string session, string kid, int seconds);

    [LoggerMessage(13, LogLevel.Information,
        "The {Kind} of session {Session} got a registration token, for {Seconds} s", EventName = "call.registration_token_issued")]
    public partial void LogRegistrationTokenIssued(string kind, string session, int seconds);

    [LoggerMessage(14, LogLevel.Information,
        "{Path} of the {Kind} of session {Session} was refused with {Status} {Code}: {Title}", EventName = "request.refused")]
    public partial void LogRequestRefused(string path, string kind, string session, int status, string code, string title);

    [LoggerMessage(15, LogLevel.Information,
        "{Path} without a session was refused with {Status} {Code}: {Title}", EventName = "request_of_stranger.refused")]
    public partial void LogStrangerRefused(string path, int status, string code, string title);
}

/// <summary>Why a session ended, in the log.</summary>
internal static class EndReason
{
    public const string SignedOut = "signed out";
    public const string Replaced = "replaced by a new session";
    public const string EndedByUser = "ended from another session of the user";
    public const string PasswordChanged = "password of the user changed";
    public const string NotRegistered = "guest did not register in time";
    public const string UserDeleted = "user deleted";
    public const string UserLocked = "user locked";
    public const string UserChanged = "security stamp of the user changed";
}
