using WebRtcIms.Contracts;
using WebRtcIms.EpCscf.Registration;
using WebRtcIms.EpCscf.Sip;

namespace WebRtcIms.EpCscf.Server;

/// <summary>
/// Registrations and calls, for people. A page is named by the pseudonym of its session, as in the spans of the WWSF. Records never have
/// an identity or a text of a page, other than the Reason header field of a BYE.
/// </summary>
internal sealed partial class CallLog(ILogger<CallLog> logger)
{
    private const int MaxReason = 120;
    private const string Stranger = "unknown";

    /// <summary>The final response to a request of a page. The current activity is that of the request.</summary>
    /// <param name="session">The session of the page; null if it has shown no token.</param>
    /// <param name="request">The request.</param>
    /// <param name="response">The final response.</param>
    /// <param name="took">The time from the request to the response.</param>
    public void Answered(string? session, SipRequest request, SipResponse response, TimeSpan took)
    {
        var who = session is null ? Stranger : Pseudonym.Of(session);
        switch (request.Method)
        {
            case Method.Register when !response.IsSuccess:
                // These are phrases of this server.
                LogRegistrationRefused(who, response.StatusCode, response.Reason);
                break;
            case Method.Register when Seconds(response) is var seconds and > 0:
                LogRegistered(who, seconds);
                break;
            case Method.Invite when request.IsInDialog:
                if (!response.IsSuccess) LogChangeRefused(who, response.StatusCode, Meaning(response.StatusCode));
                break;
            case Method.Invite when response.IsSuccess:
                LogCallAnswered(who, (long)took.TotalMilliseconds);
                break;
            case Method.Invite:
                LogCallNotAnswered(who, (long)took.TotalMilliseconds, response.StatusCode, Meaning(response.StatusCode));
                break;
            case Method.Bye when response.StatusCode != 481:
                LogCallEnded(who, ReasonOf(request));
                break;
        }
    }

    public void RegistrationEnded(Binding binding, BindingLoss loss)
    {
        if (loss != BindingLoss.Replaced) LogRegistrationEnded(Pseudonym.Of(binding.SessionId), Sentence(loss));
    }

    private static string Sentence(BindingLoss loss) => loss switch
    {
        BindingLoss.Disconnected => "its connection was lost",
        BindingLoss.SignedOut => "its session ended",
        _ => "the page signed off",
    };

    // The largest of all bindings of the identity.
    private static int Seconds(SipResponse response) => response.Headers.Values(HeaderName.Contact)
        .Select(contact => int.TryParse(NameAddress.Parse(contact)?.Parameters["expires"], CultureInfo.InvariantCulture, out var seconds)
            ? seconds : 0)
        .DefaultIfEmpty().Max();

    private static string ReasonOf(SipRequest bye)
    {
        var reason = bye.Headers.First(HeaderName.Reason) ?? "";
        if (reason.Length == 0) return "hung up";
        return reason.Length <= MaxReason && !reason.Any(char.IsControl) ? reason : "a reason that is too long";
    }

    private static string Meaning(int statusCode) => statusCode switch
    {
        401 => "the registration token is missing or was refused",
        403 => "forbidden",
        404 => "nobody is registered under that address",
        408 => "no answer in time",
        480 => "not reachable at the moment",
        481 => "the call does not exist any more",
        486 => "busy",
        487 => "the caller cancelled it",
        488 => "no common format",
        491 => "both sides changed it at once",
        503 => "not available",
        600 => "busy everywhere",
        603 => "declined",
        _ => "no other reason",
    };

    [LoggerMessage(1, LogLevel.Information, "Session {Session} is registered, for {Seconds} s", EventName = "call.registered")]
    private partial void LogRegistered(string session, int seconds);

    [LoggerMessage(2, LogLevel.Information,
        "A registration of session {Session} was refused with {Status}: {Reason}", EventName = "registration_refused")]
    private partial void LogRegistrationRefused(string session, int status, string reason);

    [LoggerMessage(3, LogLevel.Information,
        "The registration of session {Session} ended: {Reason}", EventName = "call.registration_ended")]
    private partial void LogRegistrationEnded(string session, string reason);

    [LoggerMessage(4, LogLevel.Information,
        "A call of session {Session} was answered after {Milliseconds} ms", EventName = "call.answered")]
    private partial void LogCallAnswered(string session, long milliseconds);

    [LoggerMessage(5, LogLevel.Information,
        "A call of session {Session} failed after {Milliseconds} ms with {Status}: {Reason}", EventName = "call.failed")]
    private partial void LogCallNotAnswered(string session, long milliseconds, int status, string reason);

    [LoggerMessage(6, LogLevel.Information, "Session {Session} ended its call: {Reason}", EventName = "call.ended")]
    private partial void LogCallEnded(string session, string reason);

    [LoggerMessage(7, LogLevel.Information,
        "A change of a call by session {Session} was refused with {Status}: {Reason}", EventName = "call.change_refused")]
    private partial void LogChangeRefused(string session, int status, string reason);
}
