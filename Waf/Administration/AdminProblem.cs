using Microsoft.AspNetCore.Http.HttpResults;

namespace WebRtcIms.Waf.Administration;

/// <summary>Responses to requests that cannot be done. The detail is a sentence for operators.</summary>
internal static class AdminProblem
{
    public static ProblemHttpResult RedisAway { get; } = TypedResults.Problem(
        "The TURN servers cannot be notified, because Redis does not answer. Try again.",
        statusCode: StatusCodes.Status503ServiceUnavailable);

    public static ProblemHttpResult Invalid(string detail) =>
        TypedResults.Problem(detail, statusCode: StatusCodes.Status400BadRequest);

    public static ProblemHttpResult NotFound(string detail) => TypedResults.Problem(detail, statusCode: StatusCodes.Status404NotFound);

    public static ProblemHttpResult Conflict(string detail) => TypedResults.Problem(detail, statusCode: StatusCodes.Status409Conflict);

    /// <summary>Whether a text can be the name of something in the store. PostgreSQL refuses texts with a NUL.</summary>
    public static bool IsName(string text, int maxLength) =>
        text.Length > 0 && text.Length <= maxLength && !text.Any(char.IsControl);
}
