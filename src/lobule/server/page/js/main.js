/** Puts the parts of the page together. */

import * as api from "./api.js";
import { About } from "./about.js";
import { listenForConnection, notify } from "./banner.js";
import { CaseAnswers } from "./case_answers.js";
import { Collection, isSettled } from "./collection.js";
import { Connection } from "./connection.js";
import { DOWNLOADS } from "./downloads.js";
import { count } from "./format.js";
import { HeatLayers } from "./heat_layers.js";
import { listenForImages } from "./intake.js";
import { listenForPrinting, print } from "./print_summary.js";
import { ServerLost } from "./problem.js";
import { Results } from "./results.js";
import { Selection } from "./selection.js";
import { Sender } from "./sender.js";
import { listenForTheme } from "./theme.js";
import { Toolbar } from "./toolbar.js";
import { Viewer } from "./viewer.js";
import { ViewState } from "./view_state.js";
import { explainVerdicts, introduce } from "./welcome.js";

const by = (id) => document.getElementById(id);

let model = null;
const collection = new Collection();
const state = new ViewState();
const connection = new Connection(api.isAlive);
const sender = new Sender(collection, connection);
const cases = new CaseAnswers(connection);
const layers = new HeatLayers();
const about = new About();
const viewer = new Viewer({ layers, model: () => model, order: () => results.order, unshowable });
const results = new Results(by("results"), { collection, state, cases, actions: cardActions() });

function cardActions() {
  return {
    model: () => model,
    open: (item) => viewer.open(item),
    select: (item, selected) => collection.change(item.id, { selected }),
    remove: (item) => remove([item.id]),
    cancel: (item) => sender.cancel([item.id]),
    retry: (item) => sender.retry([item.id]),
    layer: (item) => layers.of(item, { task: "binary", toward: "malignant", form: "layer" }),
    complain,
    unshowable,
  };
}

const ids = (wanted) => collection.items.filter(wanted).map(({ id }) => id);

const session = () => ({ items: results.order, grouping: state.grouping, cases: cases.answers, model });

function take({ files, ignored }) {
  const fresh = collection.add(files);
  const twice = files.length - fresh.length;
  if (ignored) complain(`${count(ignored, "file")} left out: no images by their names.`);
  if (twice) complain(`${count(twice, "file")} left out: on the page already.`);
  sender.send(fresh.map(({ id }) => id));
}

function remove(gone) {
  sender.cancel(gone);
  collection.remove(gone);
  layers.keepOnly(collection.items);
  if (!collection.size) by("choose-files").focus();
}

function unshowable(item) {
  if (item.previewable) collection.change(item.id, { previewable: false });
}

function complain(text) {
  notify(by("notes"), text);
}

async function meetModel() {
  try {
    model = await api.model();
  } catch (error) {
    if (error instanceof ServerLost) connection.lost();
    else complain(`The server does not describe its model. ${error.message}`);
    return;
  }
  sender.limits = model.limits;
  cases.limits = model.limits;
  about.model = model;
  viewer.classes = model.classes;
  introduce(by("model-intro"), model);
  results.refresh();
}

function begin() {
  listenForTheme(by("theme"), by("theme-name"));
  listenForConnection(by("connection"), connection);
  listenForPrinting(by("summary"), session);
  explainVerdicts(by("legend"));
  by("show-card").addEventListener("click", () => about.showCard());
  by("show-limits").addEventListener("click", () => about.showLimits());
  new Selection(by("selection"), { collection, state, order: () => results.order, remove });
  new Toolbar(by("toolbar"), {
    collection,
    state,
    actions: {
      cancelAll: () => sender.cancel(ids((item) => !isSettled(item))),
      retryFailed: () => sender.retry(ids((item) => item.problem?.retryable)),
      removeAll: () => remove(ids(() => true)),
      download: (kind) => DOWNLOADS[kind].save(session()),
      print: () => print(by("summary"), session()),
    },
  });
  collection.addEventListener("list", () => document.body.classList.toggle("empty", !collection.size));
  connection.addEventListener("back", () => model ?? meetModel());
  const inputs = { files: by("files"), folder: by("folder") };
  listenForImages({ ...inputs, buttons: [[by("choose-files"), inputs.files], [by("choose-folder"), inputs.folder]] }, take);
  meetModel();
}

begin();
