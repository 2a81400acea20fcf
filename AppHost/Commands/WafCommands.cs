using System.Net.Http.Json;
using System.Text.Json;

namespace WebRtcIms.AppHost;

/// <summary>Commands of the dashboard on the WAF. They call its administration, as the command <c>waf</c> does.</summary>
internal static class WafCommands
{
    private const string Kind = "kind";
    private const string Name = "name";
    private const string Uses = "uses";

    // What can be revoked: the member of the request, and its label.
    private static readonly KeyValuePair<string, string>[] Kinds =
        [new("client_id", "Client"), new("session", "Session"), new("kid", "Long-term key"), new("all", "All tokens")];

    /// <param name="waf">The WAF.</param>
    /// <param name="administration">Its endpoint for operators.</param>
    public static IResourceBuilder<ProjectResource> WithWafCommands(
        this IResourceBuilder<ProjectResource> waf, EndpointReference administration) => waf
        .WithCommand("rotate-keys", "Rotate keys", context => RotateAsync(administration, context), new CommandOptions
        {
            Description = "Makes the next long-term key current. The old one stays until its last token is dead, so no call is cut.",
            IconName = "KeyMultiple",
        })
        .WithCommand("new-initial-access-token", "New initial access token", context => CreateTokenAsync(administration, context), new()
        {
            Description = "Creates a token with which a WWSF registers itself. It is shown once.",
            IconName = "TicketDiagonal",
            Arguments =
            [
                new InteractionInput { Name = Name, Label = "Name, for the audit", InputType = InputType.Text },
                new InteractionInput { Name = Uses, Label = "Clients that it may register", InputType = InputType.Number, Value = "1" },
            ],
        })
        .WithCommand("revoke-tokens", "Revoke tokens", context => RevokeAsync(administration, context), new CommandOptions
        {
            Description = "Revokes the tokens of a client, a session or a key, or all, on all TURN servers. Their allocations end.",
            ConfirmationMessage = "All calls that were relayed with these tokens end. Revoke them?",
            IconName = "PersonProhibited",
            Arguments =
            [
                new InteractionInput
                {
                    Name = Kind, Label = "Tokens of", InputType = InputType.Choice, Required = true, Options = Kinds, Value = Kinds[0].Key,
                },
                new InteractionInput { Name = Name, Label = "Its name: client id, pseudonym or kid", InputType = InputType.Text },
            ],
        });

    private static Task<ExecuteCommandResult> RotateAsync(EndpointReference administration, ExecuteCommandContext context) =>
        PostAsync(administration, "keys/rotations", new { }, rotated => CommandResults.Success(
            $"The next keys: {string.Join(", ", rotated.EnumerateArray().Select(key => key.GetProperty("kid").GetString()))}. "
            + "Tokens are issued with them as soon as the services have had time to fetch them."),
            context.CancellationToken);

    private static Task<ExecuteCommandResult> CreateTokenAsync(EndpointReference administration, ExecuteCommandContext context)
    {
        var name = context.Arguments.GetString(Name);
        var uses = int.TryParse(context.Arguments.GetString(Uses), CultureInfo.InvariantCulture, out var number) ? number : 1;
        return PostAsync(
            administration, "initial-access-tokens", new { name = string.IsNullOrWhiteSpace(name) ? null : name, uses },
            created => CommandResults.Success(
                $"The initial access token {created.GetProperty("name")} was created.",
                $"`{created.GetProperty("token").GetString()}`\n\nIt is shown only here. It ends at {created.GetProperty("expires_at")}.",
                CommandResultFormat.Markdown, displayImmediately: true), context.CancellationToken);
    }

    private static Task<ExecuteCommandResult> RevokeAsync(EndpointReference administration, ExecuteCommandContext context)
    {
        var (kind, name) = (context.Arguments.GetString(Kind), context.Arguments.GetString(Name));
        object value = kind == "all" ? true : name ?? "";
        var what = kind == "all" ? "All tokens that were issued until now" : $"The tokens of {name}";
        return PostAsync(
            administration, "revocations", new Dictionary<string, object> { [kind ?? ""] = value },
            _ => CommandResults.Success($"{what} are revoked."),
            context.CancellationToken);
    }

    private static async Task<ExecuteCommandResult> PostAsync(
        EndpointReference administration, string path, object body, Func<JsonElement, ExecuteCommandResult> succeed,
        CancellationToken cancellationToken)
    {
        try
        {
            using var http = new HttpClient { BaseAddress = new Uri(administration.Url) };
            using var answer = await http.PostAsJsonAsync(new Uri($"/admin/{path}", UriKind.Relative), body, cancellationToken);
            var text = await answer.Content.ReadAsStringAsync(cancellationToken);
            return answer.IsSuccessStatusCode
                ? succeed(text.Length == 0 ? default : JsonElement.Parse(text))
                : CommandResults.Failure($"The WAF answered {(int)answer.StatusCode}: {text}");
        }
        catch (HttpRequestException error)
        {
            return CommandResults.Failure($"The WAF cannot be reached: {error.Message}");
        }
    }
}
