using Microsoft.AspNetCore;
using Microsoft.Extensions.Primitives;
using OpenIddict.Abstractions;
using OpenIddict.Server;
using OpenIddict.Server.AspNetCore;
using static OpenIddict.Abstractions.OpenIddictConstants;
using static OpenIddict.Server.OpenIddictServerEvents;

namespace WebRtcIms.Waf.OAuth;

/// <summary>Reads the parameters of a request, each of which must occur once (RFC 6749 §3.2).</summary>
internal static class RequestParameters
{
    /// <summary>The name of the client's secret in a GET (TS 33.203 X.5.3.2 step 4).</summary>
    public const string ClientPassword = "client_password";

    private const string NotAForm = "Send a POST with a form.";

    /// <summary>Reads the form of a POST, or rejects the request.</summary>
    public static async ValueTask ReadFormAsync(BaseValidatingContext context, string notAForm = NotAForm)
    {
        var request = context.Transaction.GetHttpRequest()!;
        if (!HttpMethods.IsPost(request.Method) || !request.HasFormContentType) context.Reject(Errors.InvalidRequest, notAForm);
        else Read(context, [.. await request.ReadFormAsync(request.HttpContext.RequestAborted)]);
    }

    public static void Read(BaseValidatingContext context, List<KeyValuePair<string, StringValues>> parameters)
    {
        var names = parameters.SelectMany(parameter => Enumerable.Repeat(parameter.Key, parameter.Value.Count));
        if (names.GroupBy(name => name).FirstOrDefault(group => group.Count() > 1) is { Key: var duplicate })
            context.Reject(Errors.InvalidRequest, $"The parameter '{duplicate}' must be given once.");
        // OpenIddict would log this one: it does not know that it is a secret.
        else if (parameters.Exists(parameter => parameter.Key == ClientPassword))
            context.Reject(Errors.InvalidRequest, "The parameter 'client_password' is for a GET; in a POST it is 'client_secret'.");
        else
            context.Transaction.Request = new OpenIddictRequest(parameters);
    }
}

/// <summary>Reads the form of a request to an endpoint that only accepts a POST.</summary>
internal sealed class ExtractForm<TContext> : IOpenIddictServerHandler<TContext>
    where TContext : BaseValidatingContext
{
    public static OpenIddictServerHandlerDescriptor Descriptor { get; } = OpenIddictServerHandlerDescriptor.CreateBuilder<TContext>()
        .AddFilter<OpenIddictServerAspNetCoreHandlerFilters.RequireHttpRequest>()
        .UseSingletonHandler<ExtractForm<TContext>>()
        .SetOrder(OpenIddictServerAspNetCoreHandlers.ExtractPostRequest<TContext>.Descriptor.Order)
        .Build();

    public ValueTask HandleAsync(TContext context) => RequestParameters.ReadFormAsync(context);
}
